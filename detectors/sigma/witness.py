"""What an event must hold for a rule to have a chance: the key of the dispatch index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from sigma.types import SigmaString, SigmaType

from detectors.sigma.condition import And, Condition, Leaf, Or
from detectors.sigma.text import pattern

COARSE: Final = frozenset(
    {
        "eventsource",
        "eventtype",
        "verb",
        "stage",
        "level",
        "type",
        "method",
        "protocol",
        "request.operation",
        "objectref.apigroup",
        "objectref.apiversion",
    }
)

How: TypeAlias = Literal["equals", "startswith"]
Witness: TypeAlias = Mapping[tuple[str, How], frozenset[str]]


def _any(_path: str) -> bool:
    return True


def witness(condition: Condition, known: Callable[[str], bool] = _any) -> Witness | None:
    """Return fields with case-folded texts of which at least one must hold; None if there are none.

    Only fields that are `known` are looked at. Only ever used to skip a rule that cannot match: the predicate
    still decides.
    """
    match condition:
        case Leaf(path, values):
            return _leaf(path, values) if known(path) else None
        case And(parts):
            found = [one for part in parts if (one := witness(part, known)) is not None]
            return min(found, key=_breadth, default=None)
        case Or(parts):
            return _union([witness(part, known) for part in parts])
        case _:
            return None


def _leaf(path: str, values: tuple[SigmaType, ...]) -> Witness | None:
    out: dict[tuple[str, How], frozenset[str]] = {}
    for value in values:
        if not isinstance(value, SigmaString):
            return None
        found = pattern(value, cased=False)
        if found.kind == "equals" or (found.kind == "startswith" and found.text):
            out[path, found.kind] = out.get((path, found.kind), frozenset()) | {found.text}
        else:
            return None
    return out


def _union(parts: list[Witness | None]) -> Witness | None:
    out: dict[tuple[str, How], frozenset[str]] = {}
    for part in parts:
        if part is None:
            return None
        for key, values in part.items():
            out[key] = out.get(key, frozenset()) | values
    return out


def _breadth(found: Witness) -> tuple[bool, bool, int, int]:
    """Order witnesses from narrow to broad: fields that nearly every event shares come last."""
    coarse = any(path.casefold() in COARSE for path, _ in found)
    prefix = any(how == "startswith" for _, how in found)
    return coarse, prefix, len(found), sum(len(values) for values in found.values())
