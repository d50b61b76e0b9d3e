"""Tests for Sigma strings: all string values of one field together, so that one set or tuple decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from detectors.sigma.needles import any_needle
from detectors.sigma.path import MISSING, Found
from detectors.sigma.text import Pattern, texts
from detectors.sigma.wildcard import wildcard_test

Test: TypeAlias = Callable[[Found], bool]
TextTest: TypeAlias = Callable[[str], bool]


def string_test(patterns: Iterable[Pattern], *, cased: bool) -> Test:
    """Return a test that holds if any value of a field matches any of `patterns`."""
    known = list(patterns)
    if all(item.kind == "equals" for item in known):
        return _equality(frozenset(item.text for item in known), cased=cased)
    return _over_texts(text_test(known), cased=cased)


def text_test(patterns: Iterable[Pattern]) -> TextTest:
    """Return a test of one (already case-folded, if need be) text against any of `patterns`."""
    by_kind: dict[str, list[str]] = {}
    known = list(patterns)
    for item in known:
        by_kind.setdefault(item.kind, []).append(item.text)
    tests: list[TextTest] = []
    if equals := frozenset(by_kind.get("equals", ())):
        tests.append(equals.__contains__)
    if prefixes := tuple(by_kind.get("startswith", ())):
        tests.append(lambda text: text.startswith(prefixes))
    if suffixes := tuple(by_kind.get("endswith", ())):
        tests.append(lambda text: text.endswith(suffixes))
    if needles := tuple(by_kind.get("contains", ())):
        tests.append(any_needle(needles))
    tests.extend(wildcard_test(item.parts) for item in known if item.kind == "glob")
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)


def _equality(values: frozenset[str], *, cased: bool) -> Test:
    if cased:
        return lambda found: any(text in values for text in texts(found))

    def test(found: Found) -> bool:
        if isinstance(found, str):
            return found.casefold() in values
        if found is None or found is MISSING:
            return False
        return any(text.casefold() in values for text in texts(found))

    return test


def _over_texts(text_matches: TextTest, *, cased: bool) -> Test:
    if cased:
        return lambda found: any(text_matches(text) for text in texts(found))

    def test(found: Found) -> bool:
        if isinstance(found, str):
            return text_matches(found.casefold())
        if found is None or found is MISSING:
            return False
        return any(text_matches(text.casefold()) for text in texts(found))

    return test


def inline_test(patterns: Iterable[Pattern]) -> tuple[str, object] | None:
    """Return a source template over ``{v}`` (folded text) and ``{c}`` (a constant), and the constant.

    None when the patterns are of several kinds; `string_test` decides the same for every text.
    """
    known = list(patterns)
    kinds = {item.kind for item in known}
    if kinds == {"equals"}:
        return "{v} in {c}", frozenset(item.text for item in known)
    if kinds == {"startswith"}:
        return "{v}.startswith({c})", tuple(item.text for item in known)
    if kinds == {"endswith"}:
        return "{v}.endswith({c})", tuple(item.text for item in known)
    if kinds == {"contains"} and len(known) == 1:
        return "{c} in {v}", known[0].text
    return None
