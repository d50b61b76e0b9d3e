"""Regular expressions of rules, kept from running away: they read text that an attacker writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from detectors.sigma.document import UnsupportedConstructError

MAX_TEXT: Final = 65_536
_NESTED: Final = re.compile(r"\((?:[^()\\]|\\.)*(?:[+*]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\d*\})")


class TextTooLongError(ValueError):
    """A regular expression is not tried on such a long text; the engine counts it as an error."""


def search_test(expression: str, flags: int) -> Callable[[str], bool]:
    """Return a test that searches `expression` (unanchored, case-sensitive unless flagged).

    Raises UnsupportedConstructError for a repeated group that repeats inside (``(a+)+``): Python's
    engine may need exponential time for it. The test raises TextTooLongError over 64 Ki characters.
    """
    if _NESTED.search(expression):
        raise UnsupportedConstructError(
            "the regular expression repeats a group that repeats inside, which can run for ever",
            "Write it without nested repetition, or with contains, startswith and endswith",
            expression,
        )
    search = re.compile(expression, flags).search

    def test(text: str) -> bool:
        if len(text) > MAX_TEXT:
            raise TextTooLongError(f"text of {len(text)} characters for a regular expression")
        return search(text) is not None

    return test
