"""Array blocks of rules (SEP 212 of Sigma, as rsigma reads it): `containers[any]: {image: x, name: y}`.

A rule opts in with `sigma-version: 3`. pySigma knows no blocks: before it reads a document each block becomes
an item whose field name carries the block; afterwards the block is read in the same way as a rule is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from sigma.exceptions import SigmaError
from sigma.rule import (  # pyright: ignore[reportMissingTypeStubs]
    SigmaDetection,
    SigmaDetectionItem,
    SigmaDetections,
    SigmaLogSource,
    SigmaRule,
)

from detectors.sigma.condition import (
    And,
    ArrayBlock,
    Condition,
    Element,
    Keyword,
    Leaf,
    Not,
    Or,
    Quantifier,
    either,
    from_sigma,
)
from detectors.sigma.condition_text import written_out
from detectors.sigma.document import MalformedRuleError
from detectors.sigma.element import SELF
from detectors.sigma.spelling import respelt

VERSION: Final = 3
MAX_BLOCKS: Final = 8
_MARK: Final = "array block "
_NAMED: Final = ("any", "all", "all_or_empty", "none")
_SELECTOR: Final = re.compile(r"(?<!\\)\[([^\[\]]*)(?<!\\)\]")
_OPT_IN: Final = f"Declare `sigma-version: {VERSION}` in the rule, or write the bracket as `\\[`"


def marked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its array blocks as items that pySigma takes. Raises MalformedRuleError."""
    version = document.get("sigma-version")
    active = isinstance(version, int) and not isinstance(version, bool) and version >= VERSION
    out = dict(document)
    for section in ("detection", "filter"):
        given: object = document.get(section)
        if isinstance(given, dict):
            out[section] = {
                name: value if name in ("condition", "rules") else _marked(value, active)
                for name, value in cast("dict[object, object]", given).items()
            }
    return out


def is_block(item: SigmaDetectionItem) -> bool:
    """Return whether an item of a rule stands for an array block that is not opened yet."""
    return item.field is not None and item.field.startswith(_MARK)


def open_blocks(rule: SigmaRule, prepare: Callable[[SigmaRule], None] | None = None) -> None:
    """Translate the blocks of `rule` in place, once; `prepare` is first applied to the body of each.

    Raises SigmaRuleError, SigmaError.
    """
    for item in _items(rule.detection.detections.values()):
        closed = not any(isinstance(value, ArrayBlock) for value in item.value)
        if closed and item.field is not None and is_block(item):
            item.value = [ArrayBlock(_opened(_decoded(item.field), prepare, 1))]


def _items(detections: Any) -> Iterator[SigmaDetectionItem]:
    for detection in detections:
        for item in cast(SigmaDetection, detection).detection_items:
            if isinstance(item, SigmaDetectionItem):
                yield item
            else:
                yield from _items((item,))


def _marked(node: object, active: bool) -> object:
    if isinstance(node, list):
        return [_marked(item, active) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    out: dict[object, object] = {}
    for key, value in cast("dict[object, object]", node).items():
        name, kept = _block(key, value, active) if isinstance(key, str) else (key, value)
        out[name] = kept
    return out


def _block(key: str, value: object, active: bool) -> tuple[str, object]:
    """Return the item of pySigma for one key: a block's under a name that carries it, else the key itself."""
    field, bar, modifiers = key.partition("|")
    found = list(_SELECTOR.finditer(field))
    if not active:
        if any(match[1] in _NAMED for match in found):
            raise MalformedRuleError(f"{field} selects elements of an array", _OPT_IN, key)
        found = []
    if value == []:
        raise MalformedRuleError(f"{field} has no values", "Write null, or values", key)
    if not found and isinstance(value, dict):
        raise MalformedRuleError(
            f"a map stands under {field}", f"Write {field}[any]: for an array's elements", key
        )
    if not active:
        return key, value
    if not found:
        return field.replace("\\[", "[").replace("\\]", "]") + bar + modifiers, value
    first = found[0]
    path, rest = field[: first.start()], field[first.end() :]
    body = _body(key, rest, bar + modifiers, value)
    block = [path, _quantifier(first[1], key), body]
    if not path:
        raise MalformedRuleError("an array block names no array", "Write FIELD[any]", key)
    return _MARK + json.dumps(block, default=str).encode().hex(), True


def _quantifier(text: str, key: str) -> Quantifier:
    if text in _NAMED:
        return cast(Quantifier, text)
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return int(text)
    raise MalformedRuleError(
        f"[{text}] is no choice of elements", "Use [any], [all], [all_or_empty], [none], [0]", key
    )


def _is_nested(value: object) -> bool:
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return any(isinstance(item, dict) for item in items)


def _body(key: str, rest: str, modifiers: str, value: object) -> object:
    """Return what is asked of an element: a map, or tests of the element itself or of a field below it."""
    nested = _is_nested(value)
    if not rest and nested and modifiers:
        raise MalformedRuleError("a block takes no modifiers", "Give them to the fields inside", key)
    if not rest:
        return value if nested else {SELF + modifiers: value}
    if nested and not rest.endswith("]"):
        raise MalformedRuleError("a map stands where a value belongs", "End the field with [any]", key)
    if rest.startswith("["):
        return {SELF + rest + modifiers: value}
    if not rest.startswith(".") or rest == ".":
        raise MalformedRuleError("a field goes on after `]` with a dot", "Write FIELD[any].NAME", key)
    return {rest[1:] + modifiers: value}


def _decoded(field: str) -> tuple[str, Quantifier, object]:
    try:
        path, quantifier, body = json.loads(bytes.fromhex(field.removeprefix(_MARK)))
    except (ValueError, TypeError) as error:
        raise MalformedRuleError("a field's name is kept for array blocks", "Rename it", field) from error
    return str(path), quantifier, body


def _opened(
    block: tuple[str, Quantifier, object], prepare: Callable[[SigmaRule], None] | None, depth: int
) -> Element:
    path, quantifier, body = block
    if depth > MAX_BLOCKS:
        raise MalformedRuleError(f"array blocks nest deeper than {MAX_BLOCKS}", "Flatten them", path)
    given = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    whole: dict[str, object] = {"element": body, "condition": "element"}
    if "condition" in given:
        whole = given
    document = respelt(marked(written_out({"sigma-version": VERSION, "detection": whole})))
    try:
        detections = SigmaDetections.from_dict(document["detection"])
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        if isinstance(error, SigmaError):
            raise
        raise MalformedRuleError(f"the block of {path} is no detection", "Write a map", path) from error
    inner = SigmaRule("array block", logsource=SigmaLogSource("array"), detection=detections)
    for item in _items(detections.detections.values()):
        if item.field is not None and item.field.startswith(_MARK):
            item.value = [ArrayBlock(_opened(_decoded(item.field), prepare, depth + 1))]
    if prepare is not None:
        prepare(inner)
    found = either(from_sigma(item.parsed) for item in detections.parsed_condition)
    return Element(path, quantifier, _of_element(found))


def _of_element(body: Condition) -> Condition:
    """Values without a field are asked of the element itself."""
    match body:
        case And(parts):
            return And(tuple(_of_element(part) for part in parts))
        case Or(parts):
            return Or(tuple(_of_element(part) for part in parts))
        case Not(part):
            return Not(_of_element(part))
        case Keyword(values):
            return Leaf(SELF, values)
        case _:
            return body
