"""The oracle's own tests of one field: each modifier of Sigma 2.1 and each kind of value.

A test takes what stands at the field (ABSENT when nothing does) and says whether it matches.
"""

from __future__ import annotations

import base64
import itertools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

from oracle_text import ANY, Tokens, folded, matches, opened, texts, tokens

ABSENT = object()
Test = Callable[[Any], bool]
Placeholders = Mapping[str, Sequence[str]]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_DASH = re.compile("\\B[-/\u2013\u2014\u2015]\\b")
_COMPARE = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
_TIME: Mapping[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day": lambda at: at.day,
    "week": lambda at: int(at.strftime("%V")),
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}
_WIDE = {"utf16": "utf-16-le", "utf16le": "utf-16-le", "wide": "utf-16-le", "utf16be": "utf-16-be"}


def value_test(modifiers: Sequence[str], value: Any, placeholders: Placeholders) -> Test:
    """Return the test of a field's modifiers and value (or list of values)."""
    test = _positive([name for name in modifiers if name != "neq"], value, placeholders)
    return (lambda found: not test(found)) if "neq" in modifiers else test


def _positive(modifiers: list[str], value: Any, placeholders: Placeholders) -> Test:
    together = all if "all" in modifiers else any
    names = [name for name in modifiers if name != "all"]
    values = value if isinstance(value, list) else [value]
    each = [_one(names, item, placeholders) for item in values]
    return lambda found: together(test(found) for test in each)


def _one(names: list[str], value: Any, placeholders: Placeholders) -> Test:
    if "exists" in names:
        return lambda found: (found is not ABSENT) is value
    if "cidr" in names:
        return _cidr(value)
    if "re" in names:
        return _over_texts(expression(value, names))
    if part := next((name for name in names if name in _TIME), None):
        return _of_numbers(_comparison(names), value, lambda leaf: _part(part, leaf))
    if any(name in _COMPARE for name in names):
        return _of_numbers(_comparison(names), value, number_of)
    if value is None:
        return lambda found: found is ABSENT or all(leaf is None for leaf in opened(found))
    if isinstance(value, bool):
        return _over_texts(lambda text: text.casefold() == ("true" if value else "false"))
    if isinstance(value, int | float):
        return _of_numbers(operator.eq, value, number_of)
    return _text(names, value, placeholders)


def _over_texts(holds: Callable[[str], bool]) -> Test:
    return lambda found: found is not ABSENT and any(holds(text) for text in texts(found))


def _comparison(names: Sequence[str]) -> Callable[[Any, Any], bool]:
    return next((_COMPARE[name] for name in names if name in _COMPARE), operator.eq)


def _of_numbers(holds: Callable[[Any, Any], bool], limit: Any, read: Callable[[Any], Any]) -> Test:
    def test(found: Any) -> bool:
        numbers = [] if found is ABSENT else [read(leaf) for leaf in opened(found)]
        return any(number is not None and holds(number, limit) for number in numbers)

    return test


def number_of(leaf: Any) -> int | float | None:
    """Return a number, also of its text in decimal digits; None for what is none."""
    if isinstance(leaf, str):
        if not _NUMBER.fullmatch(leaf):
            return None
        leaf = int(leaf) if leaf.lstrip("+-").isdigit() else float(leaf)
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return None
    return leaf if abs(leaf) < float("inf") else None


def expression(value: str, names: Sequence[str]) -> Callable[[str], bool]:
    """Return a search of a regular expression; without `m` its end is the end of the text, as in RE2."""
    flags = re.IGNORECASE * ("i" in names) | re.MULTILINE * ("m" in names) | re.DOTALL * ("s" in names)
    if "m" not in names and value.endswith("$"):
        value = value[:-1] + r"\Z"
    search = re.compile(value, flags).search
    return lambda text: search(text) is not None


def _cidr(value: str) -> Test:
    network = ip_network(value)

    def holds(text: str) -> bool:
        ported = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](:\d{1,5})?|(\d+(?:\.\d+){3}):\d{1,5}", text, re.ASCII)
        try:
            address = ip_address((ported[1] or ported[3]) if ported else text)
        except ValueError:
            return False
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        size = address.max_prefixlen - network.prefixlen
        return address.version == network.version and int(address) >> size == int(network[0]) >> size

    return _over_texts(holds)


def _part(name: str, leaf: Any) -> int | None:
    try:
        if isinstance(leaf, str):
            at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", leaf))
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            at = datetime.fromtimestamp(leaf if abs(leaf) < 1e11 else leaf / 1000, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return _TIME[name](at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def _text(names: Sequence[str], value: str, placeholders: Placeholders) -> Test:
    patterns = [
        _loosened(names, pattern) for text in _spelt(names, value, placeholders) for pattern in [text]
    ]
    if "cased" in names:
        return _over_texts(lambda text: any(matches(pattern, text) for pattern in patterns))
    patterns = [folded(pattern) for pattern in patterns]
    return _over_texts(lambda text: any(matches(pattern, text.casefold()) for pattern in patterns))


def _loosened(names: Sequence[str], pattern: Tokens) -> Tokens:
    before = [ANY] if "contains" in names or "endswith" in names else []
    after = [ANY] if "contains" in names or "startswith" in names else []
    return [*before, *pattern, *after]


def _spelt(names: Sequence[str], value: str, placeholders: Placeholders) -> list[Tokens]:
    """Return the patterns that `expand`, `windash` and the encodings make of one value."""
    if "expand" in names:
        parts = re.split(r"%(\w+)%", value)
        choices = [placeholders[part] if place % 2 else [part] for place, part in enumerate(parts)]
        return [tokens("".join(chosen)) for chosen in itertools.product(*choices)]
    if "windash" in names:
        parts = _DASH.split(value)
        seams = itertools.product("-/\u2013\u2014\u2015", repeat=len(parts) - 1)
        return [tokens("".join(itertools.chain(*zip(parts, (*seam, ""), strict=True)))) for seam in seams]
    wide = next((name for name in names if name in _WIDE), None)
    mark = b"\xff\xfe" if wide == "utf16" else b""
    data = mark + value.encode(_WIDE[wide] if wide else "utf-8")
    if "base64" in names:
        return [list(base64.b64encode(data).decode())]
    if "base64offset" in names:
        return [list(_shifted(data, shift)) for shift in range(3)]
    return [list(data.decode("utf-8"))] if wide else [tokens(value)]


def _shifted(data: bytes, shift: int) -> str:
    """Return the digits that stay the same whatever stands before (`shift` bytes) and after `data`."""
    around = [
        base64.b64encode(before * shift + data + after * 3).decode()
        for before in (b"\x00", b"\xff")
        for after in (b"\x00", b"\xff")
    ]
    same = [len(set(digits)) == 1 for digits in zip(*around, strict=True)]
    end = (8 * (shift + len(data)) + 5) // 6
    return "".join(digit for digit, kept in zip(around[0][:end], same[:end], strict=True) if kept)
