"""Why the SQLite backend answers otherwise: every reason has a name, and what the specification says of it.

A difference of a whole rule counts as explained when lines of the rule, asked alone, differ on that event
too, and each of them has a name here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from oracle import reach
from oracle_text import opened, texts
from oracle_values import ABSENT

REASONS: Mapping[str, str] = {
    "array": "a table's cell has no elements, an array is one text. Sigma: open (SEP 212); here any element",
    "object": "a table has no cell for an object. Sigma: silent; here an object reads as JSON",
    "dotted key": "{o: {p: 1}} and {'o.p': 2} are one column. Sigma: silent; here nested goes first",
    "null is there": "NULL and a missing column are one. Sigma: exists asks for presence, so null exists",
    "no JSON number": "NaN is stored as NULL, infinity counts. JSON has neither; here both are no numbers",
    "cidr": "the backend writes a network as prefixes of text. Sigma: cidr asks for an address",
    "time": "strftime takes numbers for Julian days and %W is no ISO week. Sigma: the part of a time",
    "order of types": "SQLite sorts every text after every number. Sigma: numeric comparison",
    "number and text": "SQLite's 1 is not '1'. Sigma: silent; here a number equals its text",
    "boolean is 1": "the backend takes 1 for true. Sigma: silent; here a number is no boolean",
    "beyond 2**53": "pySigma rounds the rule's number to a double. Sigma: a number is itself",
    "cidr unbracketed": "a network's prefixes stand with OR beside AND, without brackets. Sigma: one test",
    "number's text": "SQLite writes numbers otherwise (1.0e+16). Sigma: silent",
    "mark of utf16": "pySigma writes the byte order mark in UTF-8. Sigma: it is the one of UTF-16",
    "base64 beyond ASCII": "pySigma counts letters where base64offset shifts bytes. Sigma: bytes",
    "case beyond ASCII": "NOCASE and LIKE fold ASCII only. Sigma: text has no case",
    "end of text": "the REGEXP function's $ also stands before a last line feed. Sigma: silent; here RE2's",
    "NUL": "LIKE ends at a NUL. Sigma: silent",
}
_TIMES = {"minute", "hour", "day", "week", "month", "year"}
_COMPARES = {"lt", "lte", "gt", "gte"}


def reason(key: str, value: Any, fields: Mapping[str, Any], aliases: Mapping[str, str]) -> str | None:
    """Return the name of the difference that this line of a rule may have on this event, or None."""
    field, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    paths = [field, *(values if "fieldref" in modifiers else ())]
    for path in paths:
        if found := _of_place(aliases.get(path, path).split("."), fields):
            return found
    seen = [reach(fields, aliases.get(path, path).split(".")) for path in paths]
    if "exists" in modifiers:
        return "null is there" if seen[0] is None else None
    return _of_modifiers(set(modifiers), values) or _of_values(set(modifiers), values, seen)


def _of_place(keys: Sequence[str], fields: Mapping[str, Any]) -> str | None:
    """Return what is odd about the place itself: arrays, objects, spellings of the name."""
    if any(_beside(keys, fields, size) for size in range(2, len(keys) + 1)):
        return "dotted key"
    seen = reach(fields, keys)
    if isinstance(seen, list):
        return "array"
    if isinstance(seen, dict):
        return "object"
    return "no JSON number" if isinstance(seen, float) and not math.isfinite(seen) else None


def _beside(keys: Sequence[str], fields: Mapping[str, Any], size: int) -> bool:
    """Return whether the first `size` keys are one dotted key beside the nested ones."""
    return ".".join(keys[:size]) in fields and keys[0] in fields


def _of_modifiers(modifiers: set[str], values: Sequence[Any]) -> str | None:
    """Return what pySigma and the backend make of a modifier, whatever the event holds."""
    if "cidr" in modifiers:
        return "cidr"
    if modifiers & _TIMES:
        return "time"
    if "utf16" in modifiers:
        return "mark of utf16"
    if "base64offset" in modifiers and not all(str(value).isascii() for value in values):
        return "base64 beyond ASCII"
    return None


def _of_values(modifiers: set[str], values: Sequence[Any], seen: Sequence[Any]) -> str | None:
    leaves = [leaf for found in seen if found is not ABSENT for leaf in opened(found)]
    if modifiers & _COMPARES:
        return "order of types" if any(isinstance(leaf, str | bool | None) for leaf in leaves) else None
    known = [text for found in seen if found is not ABSENT for text in texts(found)]
    if "re" in modifiers:
        if any(text.endswith("\n") for text in known):
            return "end of text"
        return "number's text" if _numbers(leaves) else None
    if any("\x00" in text for text in [*known, *map(str, values)]):
        return "NUL"
    if not all(text.isascii() for text in [*known, *map(str, values)]):
        return "case beyond ASCII"
    if "fieldref" in modifiers:
        return "number and text" if _numbers(leaves) else None
    if any(isinstance(value, bool) for value in values) and _numbers(leaves):
        return "boolean is 1"
    if any(isinstance(value, int) and abs(value) > 2**53 for value in values):
        return "beyond 2**53"
    if _numbers(leaves) and any(isinstance(value, str) for value in values):
        return (
            "number and text" if not modifiers & {"contains", "startswith", "endswith"} else "number's text"
        )
    if _numbers(values) and any(isinstance(leaf, str | bool) for leaf in leaves):
        return "number and text"
    return None


def _numbers(values: Sequence[Any]) -> bool:
    return any(isinstance(value, int | float) for value in values)
