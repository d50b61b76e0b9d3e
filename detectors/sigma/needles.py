"""Whether a text holds one of several others: a long text is read once, however many they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

Search: TypeAlias = Callable[[bytes], object]
_LONG: Final = 2048
"""Characters; in shorter texts it is quicker to look for each."""
_MANY: Final = 6


def any_needle(needles: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a test whether a text holds one of `needles`. It raises nothing, whatever the text is."""
    if len(needles) == 1:
        needle = needles[0]
        return lambda text: needle in text
    if len(needles) < _MANY:
        return lambda text: any(needle in text for needle in needles)
    at_once = _AtOnce(needles)
    return lambda text: (
        any(needle in text for needle in needles) if len(text) < _LONG else at_once.stands_in(text)
    )


class _AtOnce:
    """All needles as one automaton, made when the first long text comes."""

    def __init__(self, needles: tuple[str, ...]) -> None:
        self._needles = needles
        self._search: Search | None = None
        self._made = False

    def stands_in(self, text: str) -> bool:
        if not self._made:
            self._search = _search(self._needles)
            self._made = True
        if self._search is not None:
            try:
                return self._search(text.encode()) is not None
            except UnicodeEncodeError:
                pass
        return any(needle in text for needle in self._needles)


def _search(needles: tuple[str, ...]) -> Search | None:
    """Return the search for any of `needles`, or None when they are too many or hold half a pair."""
    engine = cast(Any, re2)
    options = engine.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return engine.compile("|".join(map(re.escape, needles)).encode(), options).search
    except (engine.error, UnicodeEncodeError):
        return None
