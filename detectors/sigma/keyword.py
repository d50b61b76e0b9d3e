"""Tests for keywords: values that may stand anywhere in the event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sigma.types import SigmaCasedString, SigmaNumber, SigmaRegularExpression, SigmaString, SigmaType

from detectors.event import Fields, Json
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.regex import search_test
from detectors.sigma.strings import TextTest, text_test
from detectors.sigma.text import Pattern, pattern, text_of


def keyword_test(values: Sequence[SigmaType]) -> Callable[[Fields], bool]:
    """Return a test that holds if a key or a value anywhere in the record contains one of `values`.

    Raises UnsupportedConstructError for anything but strings, numbers and regular expressions.
    """
    tests = _text_tests(values)

    def test(fields: Fields) -> bool:
        return any(holds(text) for text in _everything(fields) for holds in tests)

    return test


def _text_tests(values: Sequence[SigmaType]) -> list[TextTest]:
    """Return few tests of one text: all plain keywords together, so that it is case-folded once."""
    tests: list[TextTest] = []
    plain: list[Pattern] = []
    cased: list[Pattern] = []
    for value in values:
        if isinstance(value, SigmaRegularExpression):
            flags = 0
            for flag in value.flags:
                flags |= value.sigma_to_python_flags[flag]
            tests.append(search_test(str(value.regexp), flags))
        elif isinstance(value, SigmaCasedString):
            cased.append(_loose(pattern(value, cased=True)))
        elif isinstance(value, SigmaString):
            plain.append(_loose(pattern(value, cased=False)))
        elif isinstance(value, SigmaNumber):
            cased.append(Pattern("contains", str(value.number)))
        else:
            raise UnsupportedConstructError(f"a keyword of kind {type(value).__name__}", "Bind it to a field")
    if cased:
        tests.insert(0, text_test(cased))
    if plain:
        holds = text_test(plain)
        tests.insert(0, lambda text: holds(text.casefold()))
    return tests


def _loose(item: Pattern) -> Pattern:
    if item.kind == "glob":
        return Pattern("glob", "", ((), *item.parts, ()))
    return Pattern("contains", item.text)


def _everything(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _everything(inner)
    else:
        text = text_of(value)
        if text is not None:
            yield text
