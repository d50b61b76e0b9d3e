"""The values of one field in classes: what no test of any rule can tell apart is one class.

Attackers and sessions make new values all the time; new classes they can only make by satisfying tests in new
combinations. What is remembered of values is bounded, and a class is found again without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

from sigma.types import SigmaCasedString, SigmaString, SigmaType

from detectors.sigma.path import Found
from detectors.sigma.strings import Test
from detectors.sigma.text import pattern
from detectors.sigma.values import value_test

VALUES: Final = 8192
"""Values of a field that are remembered."""
CLASSES: Final = 4096
LONGEST: Final = 512
"""Characters of a value that is remembered."""
UNKNOWN: Final = -1
"""The class of what would be one class too many."""
_REFUSED_BEFORE_FORGETTING: Final = 8 * VALUES
Verdicts = tuple[tuple[int, ...], tuple[bool, ...]]


class ValueClasses(dict[object, int]):
    """Value -> number of its class; asked for one that is not remembered, it finds the class.

    A list of texts is asked for as a tuple. Values that are equal and differ in type (1, 1.0, True) share a
    class; `values` gives all of them that tests can tell apart.
    """

    def __init__(self, leaves: Iterable[Sequence[SigmaType]]) -> None:
        super().__init__()
        self._equal: dict[str, tuple[int, ...]] = {}
        self._equality: list[tuple[int, Test]] = []
        self._others: list[Test] = []
        self._numbers: dict[frozenset[Verdicts], int] = {}
        self._values: list[tuple[Found, ...]] = []
        self._refused = 0
        for number, wanted in enumerate(leaves):
            test, plain = value_test(wanted), _plain(wanted)
            if plain is None:
                self._others.append(test)
                continue
            self._equality.append((number, test))
            for text in plain:
                self._equal[text] = (*self._equal.get(text, ()), number)

    def __missing__(self, value: object) -> int:
        """Return the class of a value that is not remembered, and remember it while there is room."""
        found: dict[Verdicts, Found] = {}
        for each in _equals(value):
            found.setdefault(self._verdicts(each), each)
        number = self._numbers.get(frozenset(found))
        if number is None:
            if len(self._values) >= CLASSES:
                return UNKNOWN
            number = self._numbers[frozenset(found)] = len(self._values)
            self._values.append(tuple(found.values()))
        self._remember(value, number)
        return number

    def values_of(self, number: int) -> tuple[Found, ...]:
        """Return one value for each way in which values of this class can satisfy tests."""
        return self._values[number]

    def _verdicts(self, value: Found) -> Verdicts:
        """Return by number which tests for equal text hold, and what the other tests say."""
        if isinstance(value, str):
            equal = self._equal.get(value.casefold(), ())
        else:
            equal = tuple([number for number, test in self._equality if test(value)])
        return equal, tuple([test(value) for test in self._others])

    def _remember(self, value: object, number: int) -> None:
        if len(self) < VALUES and _characters(value) <= LONGEST:
            self[value] = number
            return
        self._refused += 1
        if self._refused >= _REFUSED_BEFORE_FORGETTING:
            self.clear()
            self._refused = 0


def _plain(wanted: Sequence[SigmaType]) -> set[str] | None:
    """Return the case-folded texts of a test that only asks for equal text, else None."""
    texts: set[str] = set()
    for value in wanted:
        if not isinstance(value, SigmaString) or isinstance(value, SigmaCasedString):
            return None
        found = pattern(value, cased=False)
        if found.kind != "equals":
            return None
        texts.add(found.text)
    return texts


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(len, cast("tuple[str, ...]", value))) if isinstance(value, tuple) else 0


def _equals(value: object) -> tuple[Found, ...]:
    """Return all values of a record that are equal to this one."""
    if isinstance(value, tuple):
        return ([*cast("tuple[str, ...]", value)],)
    if not isinstance(value, int | float):
        return (cast(Found, value),)
    if value in (0, 1):
        return (int(value), float(value), bool(value)) if value else (0, 0.0, -0.0, False)
    return (int(value), float(value)) if abs(value) < 1 << 64 and value == value // 1 else (value,)
