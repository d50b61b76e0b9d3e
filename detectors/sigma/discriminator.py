"""The fewest fields whose values can refute the rules of a source: what an event is sorted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from detectors.sigma.condition import Condition
from detectors.sigma.refutation import fields_of, refutable, refuting
from detectors.sigma.witness import COARSE

_NEARLY_CONSTANT: Final = frozenset({"eventtype", "level", "stage", "type"})
MOST: Final = 4
"""Every further field makes the key of an event dearer and rarer."""


def discriminators(conditions: Sequence[Condition], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """Return up to four paths, chosen one by one: each lets the most rules be refuted that were not before.

    Each counts by its `fineness`. Of equal ones the one wins that more rules demand (a `not` demands
    nothing), then the shallower path, then the alphabet. When no single field helps, the smallest set that
    refutes one more rule is taken.
    """
    used: dict[str, int] = {}
    for condition in conditions:
        demanded = fields_of(condition, aliases, excluding=False)
        for path in fields_of(condition, aliases):
            used[path] = used.get(path, 0) + (path in demanded)
    chosen: list[str] = []
    open_rules = list(conditions)
    while open_rules and len(chosen) < MOST:
        gains = {
            path: _refuted(open_rules, [*chosen, path], aliases)
            for path in sorted(used)
            if path not in chosen
        }
        best = max(
            gains,
            key=lambda path: (gains[path] * fineness(path), used[path], -path.count(".")),
            default=None,
        )
        if best is not None and gains[best]:
            chosen.append(best)
        elif together := _smallest(open_rules, chosen, aliases):
            chosen.extend(together)
        else:
            break
        open_rules = [rule for rule in open_rules if not refutable(rule, chosen, aliases)]
    return tuple(chosen)


def _smallest(rules: Sequence[Condition], chosen: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    found = (refuting(rule, aliases) for rule in rules)
    missing = [sorted(paths - set(chosen)) for paths in found if paths is not None]
    fitting = [paths for paths in missing if len(chosen) + len(paths) <= MOST]
    return min(fitting, key=len) if fitting else []


def fineness(path: str) -> int:
    """Return how much a field is worth: one that most events share refutes for few, a deep one is dear."""
    if path.casefold() in _NEARLY_CONSTANT or path.count(".") > 1:
        return 1
    return 2 if path.casefold() in COARSE else 6


def _refuted(rules: Sequence[Condition], known: Sequence[str], aliases: Mapping[str, str]) -> int:
    return sum(refutable(rule, known, aliases) for rule in rules)
