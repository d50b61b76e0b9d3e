"""Field lookup: a dotted path into a record, fanning out through lists.

The specification leaves nested fields open. Here ``a.b`` reads ``{"a": {"b": 1}}``, ``{"a.b": 1}`` and
``{"a": [{"b": 1}, {"b": 2}]}`` (all of them); a nested key is preferred to a literal dotted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
Ways: TypeAlias = Sequence[Sequence[tuple[str, int]]]


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
    ways = _ways((first, second))

    def get(fields: Fields) -> Found:
        head = fields.get(first)
        if isinstance(head, dict):
            found = head.get(second, MISSING)
            if found is not MISSING:
                return found
        elif isinstance(head, list):
            return _walk(fields, ways)
        return fields.get(path, MISSING)

    return get


def _lookup_deep(parts: tuple[str, ...]) -> Lookup:
    ways = _ways(parts)
    steps = [(way[0][0], [key for key, _ in way[1:]]) for way in ways]

    def get(fields: Fields) -> Found:
        value: Found = fields
        for part in parts:
            if not isinstance(value, dict):
                break
            value = value.get(part, MISSING)
        else:
            if value is not MISSING:
                return value
        return _walk(fields, ways) if _may_lie_elsewhere(fields, steps) else MISSING

    return get


def _may_lie_elsewhere(fields: Fields, steps: Sequence[tuple[str, Sequence[str]]]) -> bool:
    """Return whether a list or a key with dots stands on the way; else no whole search is needed."""
    value: Json | Missing = fields
    for part, dotted in steps:
        if not isinstance(value, dict):
            return isinstance(value, list)
        if not value.keys().isdisjoint(dotted):
            return True
        value = value.get(part, MISSING)
    return False


def _ways(parts: Sequence[str]) -> Ways:
    """Return for each place in a path the keys that may stand there, each with the place after it."""
    ends = range(1, len(parts) + 1)
    return [[(".".join(parts[place:end]), end) for end in ends if end > place] for place in range(len(parts))]


def _walk(value: Json, ways: Ways, place: int = 0) -> Found:
    if isinstance(value, list):
        found = [hit for item in value if (hit := _walk(item, ways, place)) is not MISSING]
        return [*found] if found else MISSING
    if not isinstance(value, dict):
        return MISSING
    for key, after in ways[place]:
        inner = value.get(key, MISSING)
        if inner is MISSING:
            continue
        hit = inner if after == len(ways) else _walk(inner, ways, after)
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
