"""What an event must hold for a rule to have a chance: the key of the dispatch index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sigma.types import SigmaString

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

Witness = Mapping[str, frozenset[str]]


def witness(condition: Condition) -> Witness | None:
    """Return fields and case-folded texts of which at least one pair must hold; None if there is none.

    Only ever used to skip a rule that cannot match: the predicate still decides.
    """
    match condition:
        case Leaf(path, values):
            known: set[str] = set()
            for value in values:
                if not isinstance(value, SigmaString):
                    return None
                found = pattern(value, cased=False)
                if found.kind != "equals":
                    return None
                known.add(found.text)
            return {path: frozenset(known)}
        case And(parts):
            found_parts = [found for part in parts if (found := witness(part)) is not None]
            return min(found_parts, key=_breadth, default=None)
        case Or(parts):
            return _union([witness(part) for part in parts])
        case _:
            return None


def _union(parts: list[Witness | None]) -> Witness | None:
    out: dict[str, frozenset[str]] = {}
    for part in parts:
        if part is None:
            return None
        for path, values in part.items():
            out[path] = out.get(path, frozenset()) | values
    return out


def _breadth(found: Witness) -> tuple[bool, int, int]:
    """Order witnesses from narrow to broad: fields that nearly every event shares come last."""
    coarse = any(path.casefold() in COARSE for path in found)
    return coarse, len(found), sum(len(values) for values in found.values())
