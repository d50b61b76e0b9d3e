"""Rules written so that pySigma reads them as the specification (2.1) means them.

pySigma 1.5 knows `utf16le` only as `wide`, counts letters where base64offset shifts bytes, writes the mark of
`utf16` in UTF-8, leaves long dashes of a rule alone under `windash`, rounds whole numbers beyond 2**53, takes
numbers as regular expressions, and reads a detection's name that begins with "not" as a negation.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, cast

from sigma.types import SigmaString

from detectors.sigma.correlation_bounds import respelt_correlation
from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError

_WIDE: Final[Mapping[str, tuple[bytes, str]]] = {
    "utf16": (b"\xff\xfe", "utf-16-le"),
    "utf16be": (b"", "utf-16-be"),
    "utf16le": (b"", "utf-16-le"),
    "wide": (b"", "utf-16-le"),
}
_BASE64: Final = ("base64", "base64offset")
_BYTES: Final = (b"", "utf-8")
_LONG_DASH: Final = re.compile("\\B[\u2013\u2014\u2015]\\b")
_NAME: Final = re.compile(r"(?<![\w*-])(of\s+)?(?<![\w*-])(not\w+)(?![\w*-])")
_EXACT: Final = 1 << 53


def respelt(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its `detection`, `filter`, `correlation` rewritten. Raises SigmaRuleError."""
    out = respelt_correlation(rule)
    for name in ("detection", "filter"):
        section: object = rule.get(name)
        if isinstance(section, dict):
            out[name] = {
                key: _part(key, value) for key, value in cast("dict[object, object]", section).items()
            }
    return out


def _part(name: object, value: object) -> object:
    if name == "rules":
        return value
    if name != "condition":
        return _search(value)
    if isinstance(value, list):
        return [_condition(item) for item in cast("list[object]", value)]
    return _condition(value)


def _condition(text: object) -> object:
    """Write the name `notes` as `1 of notes`, which means the same."""
    if not isinstance(text, str):
        return text
    return _NAME.sub(lambda found: found[0] if found[1] else f"1 of {found[2]}", text)


def _search(node: object) -> object:
    if isinstance(node, list):
        return [_search(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return _number(node)
    out: dict[object, object] = {}
    for key, value in cast("dict[object, object]", node).items():
        name, values = _item(key, value) if isinstance(key, str) else (key, value)
        if name in out:
            raise UnsupportedConstructError(
                f"the keys of one selection come to the same: {name}", "Write two selections", str(key)
            )
        out[name] = values
    return out


def _item(key: str, value: object) -> tuple[str, object]:
    field, *modifiers = key.split("|")
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    if "re" in modifiers and not all(isinstance(item, str) for item in values):
        raise MalformedRuleError("a regular expression is a text", "Put it in quotes", key)
    if set(modifiers) <= {"neq", "all"}:
        return key, [_number(item) for item in values] if isinstance(value, list) else _number(value)
    if "windash" in modifiers:
        values = [_LONG_DASH.sub("-", item) if isinstance(item, str) else item for item in values]
    chain = _chain(modifiers)
    texts = [_plain(item) for item in values]
    if chain and (modifiers[0] == "utf16" or any(text and not text.isascii() for text in texts)):
        known = [text for text in texts if text is not None]
        if len(known) == len(values):
            return "|".join([field, *modifiers[chain:]]), _encoded(key, modifiers, chain, known)
    named = ["wide" if name == "utf16le" else name for name in modifiers]
    return "|".join([field, *named]), values if isinstance(value, list) else values[0]


def _number(value: object) -> object:
    """Return a whole number that no double holds as its text: a number equals its text."""
    if isinstance(value, int) and abs(value) > _EXACT:
        return str(value)
    return value


def _chain(modifiers: list[str]) -> int:
    """Return how many of the first modifiers encode into base64."""
    if modifiers[0] in _BASE64:
        return 1
    return 2 if modifiers[0] in _WIDE and modifiers[1:2] and modifiers[1] in _BASE64 else 0


def _plain(value: object) -> str | None:
    """Return the text of a value without wildcards, its escapes taken away; None for any other."""
    if not isinstance(value, str):
        return None
    parts = SigmaString(value).s
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(parts) else None


def _encoded(key: str, modifiers: list[str], chain: int, texts: list[str]) -> list[str]:
    mark, codec = _WIDE.get(modifiers[0], _BYTES)
    data = [mark + text.encode(codec) for text in texts]
    if modifiers[chain - 1] == "base64":
        return [b64encode(item).decode() for item in data]
    if "all" in modifiers and len(texts) > 1:
        raise UnsupportedConstructError(
            "base64offset of several texts beyond ASCII, all of them, is not evaluated",
            "Write one selection a text",
            key,
        )
    return [_shifted(item, shift) for item in data for shift in range(3)]


def _shifted(data: bytes, shift: int) -> str:
    """Return the base64 digits that depend on nothing but `data`, which begins `shift` bytes late."""
    first, last = -(-8 * shift // 6), 8 * (shift + len(data)) // 6
    return b64encode(bytes(shift) + data).decode()[first:last]
