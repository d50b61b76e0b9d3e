"""Field lookup: a dotted path into a record, fanning out through lists.

The specification leaves nested fields open. Here ``a.b`` reads ``{"a": {"b": 1}}``, ``{"a.b": 1}`` and
``{"a": [{"b": 1}, {"b": 2}]}`` (all of them); a nested key is preferred to a literal dotted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, TypeAlias

from detectors.event import Fields, Json
from detectors.sigma.document import UnsupportedConstructError

MAX_SEGMENTS: Final = 16


class Missing(Enum):
    """The field is not there, which is not the same as null."""

    MISSING = "missing"
    # The hash of Enum is written in Python; keys of events hold this value often.
    __hash__ = object.__hash__


MISSING: Final = Missing.MISSING
Found: TypeAlias = "Json | Missing"
Lookup: TypeAlias = Callable[[Fields], Found]


class Derived(str):
    """A path that no record has: a source computes from the record what stands there.

    It is a text for whoever only keeps paths apart. The text holds `|`, where a rule's field name ends, so
    that no rule can write it. `read` raises nothing that a record can provoke.
    """

    __slots__ = ("read",)
    read: Lookup

    def __new__(cls, base: str, how: str, read: Lookup) -> Derived:
        """Return the path; people see it as ``path|stem`` (`base` and `how`)."""
        made = super().__new__(cls, f"{base}|{how}")
        made.read = read
        return made


def split(path: str) -> tuple[str, ...]:
    """Return the segments of a path. Raises UnsupportedConstructError for more than 16."""
    parts = tuple(path.split("."))
    if len(parts) > MAX_SEGMENTS:
        raise UnsupportedConstructError(
            f"the field path has {len(parts)} segments", f"Use at most {MAX_SEGMENTS} segments", path
        )
    return parts


def lookup(path: str) -> Lookup:
    """Return a function that reads `path`: a value, a list of values (fan-out), or MISSING.

    Raises UnsupportedConstructError for a path of more than 16 segments.
    """
    if isinstance(path, Derived):
        return path.read
    parts = (path,) if path == "." else split(path)
    if len(parts) == 1:
        return lambda fields: fields.get(path, MISSING)
    if len(parts) == 2:
        return _lookup_two(path, *parts)
    return _lookup_deep(parts)


def _lookup_two(path: str, first: str, second: str) -> Lookup:
    def get(fields: Fields) -> Found:
        head = fields.get(first)
        if isinstance(head, dict):
            found = head.get(second, MISSING)
            if found is not MISSING:
                return found
        elif isinstance(head, list):
            return _walk(fields, (first, second))
        return fields.get(path, MISSING)

    return get


def _lookup_deep(parts: tuple[str, ...]) -> Lookup:
    def get(fields: Fields) -> Found:
        value: Found = fields
        for part in parts:
            if not isinstance(value, dict):
                break
            value = value.get(part, MISSING)
        else:
            if value is not MISSING:
                return value
        return _walk(fields, parts)

    return get


def _walk(value: Json, parts: tuple[str, ...]) -> Found:
    if isinstance(value, list):
        found = [hit for item in value if (hit := _walk(item, parts)) is not MISSING]
        return [*found] if found else MISSING
    if not isinstance(value, dict):
        return MISSING
    for size in range(1, len(parts) + 1):
        inner = value.get(".".join(parts[:size]), MISSING)
        if inner is MISSING:
            continue
        hit = inner if size == len(parts) else _walk(inner, parts[size:])
        if hit is not MISSING:
            return hit
    return MISSING


def leaves(found: Found) -> Iterator[Json]:
    """Yield the values of `found`, lists opened at any depth; nothing for MISSING."""
    if isinstance(found, list):
        for item in found:
            yield from leaves(item)
    elif found is not MISSING:
        yield found
