"""Tests for every kind of Sigma value. Each is a decision where the specification is silent:

numbers equal their text (``42`` and ``"42"``); ``re`` searches, it is not anchored; ``exists`` is true for
null; ``null`` is also a field that is not there; ``cidr`` is false for what is no address and reads
``address:port``; comparisons read numeric text and are false for anything else.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
)

from detectors.event import Json
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.path import MISSING, Found, leaves
from detectors.sigma.regex import search_test
from detectors.sigma.strings import Test, string_test
from detectors.sigma.text import Pattern, pattern, texts
from detectors.sigma.time_part import time_part

_PORTED: Final = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::\d{1,5})?|(?P<v4>\d+\.\d+\.\d+\.\d+):\d{1,5}")
_DECIMAL: Final = re.compile(r"(?P<whole>[+-]?\d+)|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LONGEST_ADDRESS: Final = 64
_COMPARE: Final[dict[CompareOperators, Callable[[float, float], bool]]] = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
    CompareOperators.NEQ: operator.ne,
}


def value_test(values: Sequence[SigmaType]) -> Test:
    """Return a test that holds if a field matches any of `values`.

    Raises UnsupportedConstructError that names the first value which cannot be evaluated.
    """
    plain: list[Pattern] = []
    cased: list[Pattern] = []
    numbers: list[int | float] = []
    expressions: list[SigmaRegularExpression] = []
    tests: list[Test] = []
    for value in values:
        if isinstance(value, SigmaCasedString):
            cased.append(pattern(value, cased=True))
        elif isinstance(value, SigmaString):
            plain.append(pattern(value, cased=False))
        elif isinstance(value, SigmaNumber) and not isinstance(value, SigmaTimestampPart):
            numbers.append(value.number)
        elif isinstance(value, SigmaRegularExpression):
            expressions.append(value)
        else:
            tests.append(_single(value))
    if expressions:
        tests.append(_regex(expressions))
    if numbers:
        tests.insert(0, _number(numbers))
    if cased:
        tests.insert(0, string_test(cased, cased=True))
    if plain:
        tests.insert(0, string_test(plain, cased=False))
    return tests[0] if len(tests) == 1 else lambda found: any(test(found) for test in tests)


def _single(value: SigmaType) -> Test:
    if isinstance(value, SigmaBool):
        return _boolean(value.boolean)
    if isinstance(value, SigmaNull):
        return _null
    if isinstance(value, SigmaExists):
        wanted = value.exists
        return lambda found: (found is not MISSING) is wanted
    if isinstance(value, SigmaCIDRExpression):
        return _cidr(value.network)
    if isinstance(value, SigmaTimestampPart):
        return _compare(operator.eq, float(value.number), _part_reader(value))
    if isinstance(value, SigmaCompareExpression) and isinstance(value.number, SigmaTimestampPart):
        return _compare(_COMPARE[value.op], float(value.number.number), _part_reader(value.number))
    if isinstance(value, SigmaCompareExpression):
        return _compare(_COMPARE[value.op], float(value.number.number))
    name = type(value).__name__.removeprefix("Sigma")
    raise UnsupportedConstructError(f"the value kind {name} is not evaluated", "Write the rule without it")


def _null(found: Found) -> bool:
    if found is MISSING or found is None:
        return True
    return isinstance(found, list) and all(leaf is None for leaf in leaves(found))


def _boolean(wanted: bool) -> Test:
    word = "true" if wanted else "false"
    return lambda found: any(text.casefold() == word for text in texts(found))


def _number(wanted: Iterable[int | float]) -> Test:
    numbers = frozenset(wanted)

    def test(found: Found) -> bool:
        if isinstance(found, int):
            return found in numbers and not isinstance(found, bool)
        return any(numeric(leaf) in numbers for leaf in leaves(found))

    return test


def numeric(value: Found) -> int | float | None:
    """Return a number, also of its text in ASCII digits; None for what is none, as infinities and NaN."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        written = _DECIMAL.fullmatch(value) if len(value) <= 64 else None
        if written is None:
            return None
        if written["whole"]:
            return int(value)
        value = float(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    return None


def _part_reader(value: SigmaTimestampPart) -> Callable[[Json], int | None]:
    part = value.timestamp_part
    return lambda leaf: time_part(leaf, part)


def _compare(
    holds: Callable[[float, float], bool], limit: float, read: Callable[[Json], int | float | None] = numeric
) -> Test:
    def test(found: Found) -> bool:
        for leaf in leaves(found):
            number = read(leaf)
            if number is not None and holds(number, limit):
                return True
        return False

    return test


def _regex(values: Iterable[SigmaRegularExpression]) -> Test:
    """All expressions of a field together: the text of an object is made once for all of them."""
    searches: list[Callable[[str], bool]] = []
    for value in values:
        flags = 0
        for flag in value.flags:
            flags |= value.sigma_to_python_flags[flag]
        searches.append(search_test(str(value.regexp), flags))
    if len(searches) == 1:
        search = searches[0]
        return lambda found: any(search(text) for text in texts(found))
    return lambda found: any(search(text) for text in texts(found) for search in searches)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `text` (``10.0.0.1``, ``10.0.0.1:443``, ``[::1]:443``), else None."""
    return _address_of(text) if len(text) <= _LONGEST_ADDRESS else None


def canonical_address(text: str) -> str | None:
    """Return the address in `text` as `address_of` reads it, in its canonical form, else None."""
    return _canonical_address(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _canonical_address(text: str) -> str | None:
    found = _address_of(text)
    return None if found is None else str(found)


@lru_cache(maxsize=4096)
def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Few addresses do most of what is logged, and reading one takes longer than a whole test."""
    ported = _PORTED.fullmatch(text)
    if ported is not None:
        text = ported["v6"] or ported["v4"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return the IPv4 network of mapped addresses (``::ffff:10.0.0.0/104``), as such addresses are read."""
    first = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if first is None or network.prefixlen < 96:
        return network
    return IPv4Network((int(first), network.prefixlen - 96))


def _cidr(given: IPv4Network | IPv6Network) -> Test:
    network = _unmapped(given)

    def test(found: Found) -> bool:
        for text in texts(found):
            address = address_of(text)
            if address is not None and address.version == network.version and address in network:
                return True
        return False

    return test
