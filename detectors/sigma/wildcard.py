"""Whether a whole text matches a pattern with wildcards, without backtracking.

The pattern falls apart at each ``*``: the first part stands at the beginning, the last at the end, and each
of the others is taken at the first place after the one before it, which leaves the most to those that follow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

Part: TypeAlias = "tuple[str | None, ...]"
"""Texts and single wildcards (None) in their order; what stands between two ``*``."""


def wildcard_test(parts: Sequence[Part]) -> Callable[[str], bool]:
    """Return a test of a whole text against `parts`: one more than the pattern has ``*``."""
    first = _Span(parts[0])
    if len(parts) == 1:
        return lambda text: len(text) == first.size and first.stands(text, 0)
    last = _Span(parts[-1])
    between = [_Span(part) for part in parts[1:-1] if part]
    fewest = first.size + last.size + sum(span.size for span in between)

    def test(text: str) -> bool:
        end = len(text) - last.size
        if len(text) < fewest or not (first.stands(text, 0) and last.stands(text, end)):
            return False
        place = first.size
        for span in between:
            place = span.after(text, place, end)
            if place < 0:
                return False
        return True

    return test


class _Span:
    """A part of a pattern: so many characters, of which some are given."""

    def __init__(self, part: Part) -> None:
        places: list[tuple[int, str]] = []
        self.size = 0
        for text in part:
            if text:
                places.append((self.size, text))
            self.size += 1 if text is None else len(text)
        self._places = tuple(places)
        self._before = places[0][0] if places else self.size
        self._behind = self.size - places[-1][0] - len(places[-1][1]) if places else 0
        self._text = places[0][1] if len(places) == 1 else ""
        inner = part[self._before : len(part) - self._behind]
        self._search = re.compile(
            "".join("." if text is None else re.escape(text) for text in inner), re.DOTALL
        ).search

    def stands(self, text: str, at: int) -> bool:
        """Return whether the part stands at `at`."""
        return all(text.startswith(known, at + offset) for offset, known in self._places)

    def after(self, text: str, start: int, end: int) -> int:
        """Return the place behind the first stand between `start` and `end`; -1 when there is none."""
        first, limit = start + self._before, end - self._behind
        if not self._places:
            return first if first <= end else -1
        if self._text:
            found = text.find(self._text, first, limit)
            return found if found < 0 else found + self.size - self._before
        match = self._search(text, first, limit) if first <= limit else None
        return -1 if match is None else match.end() + self._behind
