"""Tests of the elements of an array: a body that one, all or none of them satisfy (SEP 212 of Sigma).

The array is what stands at a path; a path that itself leads through lists finds several arrays, and their
elements count together. A value that is no list is an array of one; null and a missing field are empty.
An element at a place where the array has none is a missing field, as anywhere else in a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from detectors.event import Fields, Json
from detectors.sigma.condition import And, Condition, Element, Keyword, Leaf, Not, Or, Quantifier, Reference
from detectors.sigma.path import MISSING, Derived, Found, split

SELF: Final = "."
"""The field name that means the element itself."""
Places: TypeAlias = Callable[[Fields], "Iterator[tuple[str, Found]]"]


def places(path: str, quantifier: Quantifier) -> Places:
    """Return a function that yields the elements that `quantifier` is about, each with where it stands.

    Raises UnsupportedConstructError for a path of too many segments.
    """
    if isinstance(path, Derived):
        read = path.read
        return lambda fields: _of(_derived(path, read(fields)), path, quantifier)
    parts = (path,) if path == SELF else split(path)
    return lambda fields: _of(_arrays(fields, parts, ""), path, quantifier)


def element_test(node: Element, path: str, holds: Callable[[Fields], bool]) -> Callable[[Fields], bool]:
    """Return the test of `node` on a record; `path` is its path in the record, `holds` tests the body."""
    elements = places(path, node.quantifier)
    whole = reads_itself(node.body)
    match node.quantifier:
        case "all":

            def every(fields: Fields) -> bool:
                verdict = False
                for _, item in elements(fields):
                    verdict = holds(scope(item, whole=whole))
                    if not verdict:
                        break
                return verdict

            return every
        case "all_or_empty":
            return lambda fields: all(holds(scope(item, whole=whole)) for _, item in elements(fields))
        case "none":
            return lambda fields: not any(holds(scope(item, whole=whole)) for _, item in elements(fields))
        case _:
            return lambda fields: any(holds(scope(item, whole=whole)) for _, item in elements(fields))


def quantified(quantifier: Quantifier, verdicts: Iterable[bool]) -> bool:
    """Return what the verdicts on each element come to."""
    known = list(verdicts)
    match quantifier:
        case "all":
            return bool(known) and all(known)
        case "all_or_empty":
            return all(known)
        case "none":
            return not any(known)
        case _:
            return any(known)


def scope(item: Found, *, whole: bool) -> Fields:
    """Return the record that a body reads: the element, and under `.` itself where `whole`."""
    if item is MISSING:
        return {}
    if not isinstance(item, dict):
        return {SELF: item}
    return {**item, SELF: item} if whole else item


def reads_itself(body: Condition) -> bool:
    """Return whether a body asks for the element itself."""
    match body:
        case And(parts) | Or(parts):
            return any(reads_itself(part) for part in parts)
        case Not(part):
            return reads_itself(part)
        case Leaf(path, _) | Element(path, _, _):
            return path == SELF
        case Reference(path, other, _, _):
            return SELF in (path, other)
        case Keyword(_):
            return False


def _of(arrays: Iterable[tuple[str, Json]], path: str, quantifier: Quantifier) -> Iterator[tuple[str, Found]]:
    absent = isinstance(quantifier, int)
    for at, array in arrays:
        items = array if isinstance(array, list) else [] if array is None else [array]
        if isinstance(quantifier, int):
            if quantifier < len(items):
                absent = False
                yield f"{at}[{quantifier}]", items[quantifier]
            continue
        for place, item in enumerate(items):
            yield f"{at}[{place}]", item
    if absent:
        yield f"{path}[{quantifier}]", MISSING


def _derived(path: str, found: Found) -> Iterator[tuple[str, Json]]:
    if found is not MISSING:
        yield path, found


def _arrays(value: Json, parts: tuple[str, ...], at: str) -> Iterator[tuple[str, Json]]:
    """Yield what stands at the path with where: as `path.lookup` reads it, one by one through lists."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _arrays(item, parts, f"{at}[{place}]")
    elif isinstance(value, dict):
        for size in range(1, len(parts) + 1):
            name = ".".join(parts[:size])
            inner = value.get(name, MISSING)
            if inner is MISSING:
                continue
            there = f"{at}.{name}" if at else name
            if size == len(parts):
                yield there, inner
                return
            found = list(_arrays(inner, parts[size:], there))
            if found:
                yield from found
                return
