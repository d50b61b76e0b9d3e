"""Tests for `fieldref`: a field against what another field of the same event holds."""

from __future__ import annotations

from collections.abc import Callable

from detectors.event import Fields
from detectors.sigma.path import Lookup
from detectors.sigma.text import texts


def reference_test(
    first: Lookup, second: Lookup, starts_with: bool, ends_with: bool
) -> Callable[[Fields], bool]:
    """Return a test that holds if a value of `first` equals one of `second`, without regard to case.

    `starts_with` and `ends_with` (both: contains) loosen equality. False when either is not there or
    null, so ``fieldref|neq`` is true then: a rule that means otherwise also asks for ``exists``.
    """
    holds = _relation(starts_with, ends_with)

    def test(fields: Fields) -> bool:
        others = [text.casefold() for text in texts(second(fields))]
        if not others:
            return False
        return any(holds(text.casefold(), other) for text in texts(first(fields)) for other in others)

    return test


def _relation(starts_with: bool, ends_with: bool) -> Callable[[str, str], bool]:
    if starts_with and ends_with:
        return lambda text, other: other in text
    if starts_with:
        return str.startswith
    if ends_with:
        return str.endswith
    return str.__eq__
