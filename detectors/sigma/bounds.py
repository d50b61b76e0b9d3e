"""Bounds on a rule's text, looked at before pySigma sees it: a rule of a few lines must not cost minutes.

Measured with pySigma 1.5: eight dashes under `windash` take 9 s (a text becomes five for each dash), 5,000
texts with four dashes 227 s and 2 GB, ten times `base64offset` over eleven letters 1.4 s and each further
one three times as long; a condition multiplies its selections. SigmaHQ's rules are far within the bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError

MAX_CONDITION: Final = 8_192
MAX_SELECTIONS: Final = 500
MAX_LOOKUPS: Final = 50_000
MAX_EXPANDED: Final = 100_000
MAX_MODIFIERS: Final = 8
MAX_DASHES: Final = 4
MAX_DASHED: Final = 5_000
MAX_PLACEHOLDERS: Final = 4
MAX_EXPRESSION: Final = 8_192
MAX_EXPRESSIONS: Final = 200
MAX_FIELD: Final = 512
MAX_FIELDS: Final = 2_000
MAX_LISTED: Final = 200
_SPELLINGS_OF_A_DASH: Final = 5
_SECTIONS: Final = ("detection", "filter", "correlation")
_LINKS: Final = frozenset({"and", "or", "not", "of", "all", "any", "1"})
_ALL: Final = frozenset({"them"})
_DASH: Final = re.compile("\\B[-/\u2013\u2014\u2015]\\b")
_PLACEHOLDER: Final = re.compile("%[^%]+%")
# Control characters (not tab and line ends), halves of surrogate pairs, marks that turn the direction.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check(rule: Mapping[object, object]) -> None:
    """Raise SigmaRuleError for a rule, correlation or filter that is out of bounds."""
    _keys(rule, "the document")
    if not isinstance(rule.get("id", ""), str):
        raise MalformedRuleError("the id is no text", "Write a UUID", "id:")
    for key, value in rule.items():
        if key not in _SECTIONS:
            _seen(str(key), value)
    for name in _SECTIONS[:2]:
        section = rule.get(name)
        if isinstance(section, dict):
            _section(cast("dict[str, object]", section))


def _keys(node: object, where: str) -> None:
    if isinstance(node, list):
        for item in cast("list[object]", node):
            _keys(item, where)
    elif isinstance(node, dict):
        for key, value in cast("dict[object, object]", node).items():
            if not isinstance(key, str):
                raise MalformedRuleError(
                    f"a key of {where} is no text: {key}", "Put it into quotes", f"{key}:"
                )
            if _UNSEEN.search(key) or len(key) > MAX_FIELD:
                raise MalformedRuleError(
                    f"a key of {where} has characters that cannot be seen, or more than {MAX_FIELD}",
                    "Write the name of a field",
                    None,
                )
            _keys(value, key)


def _seen(key: str, value: object) -> None:
    """Refuse what would forge a line on a screen: titles and ids are shown to people."""
    if isinstance(value, str) and _UNSEEN.search(value):
        raise MalformedRuleError(
            f"{key} has characters that cannot be seen", "Leave control and direction marks out", f"{key}:"
        )
    if isinstance(value, list):
        listed = cast("list[object]", value)
        if len(listed) > MAX_LISTED:
            raise MalformedRuleError(f"{key} lists more than {MAX_LISTED}", "Shorten the list", f"{key}:")
        for item in listed:
            _seen(key, item)
    elif isinstance(value, dict):
        for inner, item in cast("dict[str, object]", value).items():
            _seen(inner, item)


def _section(section: Mapping[str, object]) -> None:
    selections = {name: value for name, value in section.items() if name not in ("condition", "rules")}
    if len(selections) > MAX_SELECTIONS:
        raise UnsupportedConstructError(f"more than {MAX_SELECTIONS} selections", "Write several rules")
    items = [item for value in selections.values() for item in _items(value)]
    if len(items) > MAX_FIELDS:
        raise UnsupportedConstructError(f"more than {MAX_FIELDS} tests of fields", "Write several rules")
    for key, value in items:
        _item(key, value)
    _together(items)
    conditions = section.get("condition", "")
    texts = cast("list[object]", conditions) if isinstance(conditions, list) else [conditions]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise MalformedRuleError("the condition is no text", "Write `condition: selection`", "condition:")
    _condition(" or ".join(cast("list[str]", texts)), selections)


def _condition(text: str, selections: Mapping[str, object]) -> None:
    if len(text) > MAX_CONDITION:
        raise UnsupportedConstructError(
            f"the condition has more than {MAX_CONDITION} characters", "Use `1 of` and patterns", "condition:"
        )
    named = [token for token in re.findall(r"[\w*-]+", text) if token.lower() not in _LINKS]
    sizes = {name: _size(value) for name, value in selections.items()}
    patterns = {token for token in named if "*" in token or token in _ALL}
    if len(patterns) * len(sizes) > MAX_LOOKUPS:
        raise UnsupportedConstructError("the condition has too many patterns", "Write fewer", "condition:")
    selected = {token: sum(_matching(token, sizes)) for token in patterns}
    expanded = sum(selected.get(token, sizes.get(token, 0)) for token in named)
    if expanded > MAX_EXPANDED:
        raise UnsupportedConstructError(
            f"the condition comes to more than {MAX_EXPANDED} tests", "Name each selection once", "condition:"
        )


def _matching(token: str, sizes: Mapping[str, int]) -> Iterator[int]:
    first, last = ("", "") if token in _ALL else (token.partition("*")[0], token.rpartition("*")[2])
    return (size for name, size in sizes.items() if name.startswith(first) and name.endswith(last))


def _size(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, cast("dict[str, object]", value).values()))
    return sum(map(_size, cast("list[object]", value))) if isinstance(value, list) else 1


def _items(value: object) -> Iterator[tuple[str, object]]:
    """Yield every ``field|modifiers: values`` below a selection."""
    if isinstance(value, list):
        for part in cast("list[object]", value):
            yield from _items(part)
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield key, inner
            yield from _items(inner)


def _together(items: list[tuple[str, object]]) -> None:
    """Refuse what is within bounds text by text, and beyond them in the whole rule."""
    expressions = [text for key, value in items if "re" in key.split("|") for text in _texts(value)]
    if len(expressions) > MAX_EXPRESSIONS:
        raise UnsupportedConstructError(
            f"more than {MAX_EXPRESSIONS} regular expressions", "Write several rules"
        )
    dashed = [text for key, value in items if "windash" in key.split("|") for text in _texts(value)]
    if sum(_SPELLINGS_OF_A_DASH ** len(_DASH.findall(text)) for text in dashed) > MAX_DASHED:
        raise UnsupportedConstructError(
            f"`windash` comes to more than {MAX_DASHED} texts", "Write several rules", "windash"
        )


def _texts(value: object) -> list[str]:
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    return [text for text in listed if isinstance(text, str)]


def _item(key: str, value: object) -> None:
    _, *modifiers = key.split("|")
    if len(modifiers) > MAX_MODIFIERS or len(set(modifiers)) < len(modifiers):
        raise UnsupportedConstructError(
            f"a modifier stands twice, or there are more than {MAX_MODIFIERS}", "Name each once", key[:80]
        )
    for text in _texts(value):
        _value(key, modifiers, text)


def _value(key: str, modifiers: list[str], text: str) -> None:
    if "re" in modifiers and len(text) > MAX_EXPRESSION:
        raise UnsupportedConstructError(
            f"the regular expression has more than {MAX_EXPRESSION} characters", "Write several", key
        )
    if "windash" in modifiers and len(_DASH.findall(text)) > MAX_DASHES:
        raise UnsupportedConstructError(
            f"`windash` over more than {MAX_DASHES} dashes in one text", "Split the text, with `all`", key
        )
    if "expand" in modifiers and len(_PLACEHOLDER.findall(text)) > MAX_PLACEHOLDERS:
        raise UnsupportedConstructError(
            f"more than {MAX_PLACEHOLDERS} placeholders in one text", "Split the text", key
        )
