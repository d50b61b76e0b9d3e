"""Look-alikes of a sample event: the same record with one field changed, which a rule must not match."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from detectors.event import Fields, Json


def look_alikes(fields: Fields, parts: Sequence[str]) -> Iterator[Fields]:
    """Yield a copy of a record in which the value at a path is another one, then one without it."""
    record = copy.deepcopy(fields)
    for holder, key in list(_holders(record, parts)):
        holder[key] = _another(holder[key])
    yield record
    record = copy.deepcopy(fields)
    for holder, key in list(_holders(record, parts)):
        holder.pop(key, None)
    yield record


def _holders(value: Json, parts: Sequence[str]) -> Iterator[tuple[Fields, str]]:
    """Yield each object and key where the path ends; lists are entered, keys may have dots."""
    if isinstance(value, list):
        for item in value:
            yield from _holders(item, parts)
    elif isinstance(value, dict):
        for size in range(1, len(parts) + 1):
            key = ".".join(parts[:size])
            if key in value and size == len(parts):
                yield value, key
            elif key in value:
                yield from _holders(value[key], parts[size:])


def _another(value: Json) -> Json:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return "another" if value.casefold() == "other" else "other"
        case list():
            return [_another(item) for item in value]
        case _:
            return "other"
