"""Whether a document is ECS: known fields of their types, allowed values, expected event types.

The field set is given (`FieldSet`), so that the same check serves the tests and a folder of event data
(`bench/ecs_conformance.py`). Sources of the rules: `ecs_flat.yml` of elastic/ecs and "Using ECS".
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

OWN: Final = (
    "aws.cloudtrail",
    "kubernetes.audit",
    "istio.access",
    "istio.ztunnel",
    "hashicorp_vault.audit",
    "davylamp",
)
"""Where fields that are none of ECS may stand; everything below is ours."""
IGNORE_ABOVE: Final = 1_024
_UNINDEXED: Final = frozenset({"event.original"})
_REQUIRED: Final = ("@timestamp", "ecs.version", "event.kind", "event.category", "event.type")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\Z")
_TEXTS: Final = frozenset({"keyword", "wildcard", "constant_keyword", "match_only_text", "text"})
_FLOATS: Final = frozenset({"float", "double", "scaled_float"})
_FREE: Final = frozenset({"flattened", "object", "nested"})
_WHOLE: Final = {"long": 1 << 63, "integer": 1 << 31}


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The fields of one ECS version: type by name, which are arrays, allowed values, expected types.

    `allowed` also holds expected values of fields that ECS leaves open; `expected` is
    event.category -> event.type.
    """

    types: Mapping[str, str]
    arrays: frozenset[str]
    allowed: Mapping[str, frozenset[str]]
    expected: Mapping[str, frozenset[str]]
    parents: frozenset[str]

    @classmethod
    def load(cls, path: Path) -> FieldSet:
        """Return the set of the JSON file that `bench/ecs_fields.py` writes. Raises OSError, ValueError."""
        data = json.loads(path.read_text(encoding="utf-8"))
        types: dict[str, str] = data["fields"]
        parents = {name[:at] for name in types for at, char in enumerate(name) if char == "."}
        return cls(
            types,
            frozenset(data["arrays"]),
            {name: frozenset(values) for name, values in data["allowed"].items()},
            {name: frozenset(values) for name, values in data["expected"].items()},
            frozenset(parents) - set(types),
        )


def problems(document: Mapping[str, Any], fields: FieldSet) -> list[str]:
    """Return what is wrong with `document`, one sentence each; an empty list: it conforms."""
    event = document.get("event")
    present = {path for path, _ in _nodes(document, "", fields)}
    wrong = [f"{path} is missing" for path in _REQUIRED if path not in present]
    wrong += [said for path, value in _nodes(document, "", fields) if (said := _problem(path, value, fields))]
    return wrong + (_unexpected(cast("Mapping[str, Any]", event), fields) if isinstance(event, dict) else [])


def _nodes(value: Mapping[str, Any], prefix: str, fields: FieldSet) -> Iterator[tuple[str, Any]]:
    """Each (dotted path, value) that is judged: leaves, and objects that no field of ECS lies below."""
    for key, item in value.items():
        path = prefix + key
        if path in OWN:
            continue
        if (
            isinstance(item, dict)
            and item
            and (path in fields.parents or any(own.startswith(path + ".") for own in OWN))
        ):
            yield from _nodes(cast("Mapping[str, Any]", item), path + ".", fields)
        else:
            yield path, item


def _problem(path: str, value: Any, fields: FieldSet) -> str | None:
    kind = fields.types.get(path)
    if kind is None:
        return f"{path} is no field of ECS"
    if value is None or value in ("", [], {}):
        return f"{path} is empty"
    if path == "labels":
        return _labels(value)
    if isinstance(value, list) != (path in fields.arrays):
        return f"{path} is {'an' if isinstance(value, list) else 'no'} array"
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if not _fits(kind, item):
            return f"{path} is {str(item)[:80]!r}, expected {kind}"
        if path in fields.allowed and item not in fields.allowed[path]:
            return f"{path} is {str(item)[:80]!r}, not allowed"
        if kind == "keyword" and len(item) > IGNORE_ABOVE and path not in _UNINDEXED:
            return f"{path} is longer than {IGNORE_ABOVE} characters"
    return None


def _labels(value: Any) -> str | None:
    """Labels are flat, their values scalars."""
    flat = isinstance(value, dict) and all(
        isinstance(item, str | int | float) and "." not in key
        for key, item in cast("dict[str, Any]", value).items()
    )
    return None if flat else "labels is no flat object of scalars"


def _fits(kind: str, value: Any) -> bool:
    if kind in _TEXTS:
        return isinstance(value, str) and value != ""
    if kind in _WHOLE:
        return type(value) is int and -_WHOLE[kind] <= value < _WHOLE[kind]
    if kind in _FLOATS:
        return type(value) in {int, float} and math.isfinite(value)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "date":
        return isinstance(value, str) and _DATE.match(value) is not None
    if kind == "ip":
        return _is_ip(value)
    return kind not in _FREE or isinstance(value, dict)


def _is_ip(value: Any) -> bool:
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _unexpected(event: Mapping[str, Any], fields: FieldSet) -> list[str]:
    """Every type is expected of a category of the document, and every category has one of its types."""
    categories, types = event.get("category"), event.get("type")
    if not isinstance(categories, list) or not isinstance(types, list):
        return []
    expected = {
        str(name): fields.expected.get(str(name), frozenset()) for name in cast("list[Any]", categories)
    }
    given = {str(name) for name in cast("list[Any]", types)}
    known = frozenset[str]().union(*expected.values())
    wrong = [f"event.type {name} is not expected of {', '.join(expected)}" for name in sorted(given - known)]
    wrong += [
        f"event.category {name} has no type of its own" for name in expected if not expected[name] & given
    ]
    return wrong
