"""Which rules of two sets look for the same: by what they select, and by the events that both match. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from detectors.event import Event
from detectors.sigma.condition import And, Condition, Element, Leaf, Or
from detectors.sigma.engine import Engine
from detectors.sigma.rule import Rule

LEAST: Final = 0.5
"""From this share of common tests on, two rules are told as overlapping."""
Test: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A rule and the rule of the other set nearest to it.

    `selection`: share of the tests of both that both have. `events`: those that `theirs` matched, `shared`
    those of them that `ours` matched too.
    """

    theirs: str
    ours: str
    selection: float
    events: int = 0
    shared: int = 0

    @property
    def told(self) -> bool:
        """Whether it is worth telling."""
        return self.selection >= LEAST or (self.events > 0 and self.shared >= LEAST * self.events)


def tests_of(rule: Rule) -> frozenset[Test]:
    """Return what a rule asks to be there: (field, value) in small letters; a `not` is left out."""
    return frozenset(_tests(rule.condition, ""))


def overlaps(
    theirs: Iterable[Rule], ours: Iterable[Rule], events: Iterable[Event], engines: tuple[Engine, Engine]
) -> list[Overlap]:
    """Return for each rule of `theirs` the nearest of `ours`, if it overlaps at all; sorted by id.

    `engines`: one of each set, to judge `events` with. Of rules without findings of their own only the
    selection counts.
    """
    fired, both = _fired(events, engines)
    known = {rule.id: tests_of(rule) for rule in ours}
    by_test: dict[Test, set[str]] = defaultdict(set)
    for rule_id, tests in known.items():
        for test in tests:
            by_test[test].add(rule_id)
    found: list[Overlap] = []
    for rule in theirs:
        tests = tests_of(rule)
        near = {one for test in tests for one in by_test.get(test, ())} | both[rule.id].keys()
        rated = [
            Overlap(
                rule.id, one, _share(tests, known.get(one, frozenset())), fired[rule.id], both[rule.id][one]
            )
            for one in sorted(near)
        ]
        best = max(rated, key=lambda one: (one.shared, one.selection), default=None)
        if best is not None and best.told:
            found.append(best)
    return sorted(found, key=lambda one: one.theirs)


def _fired(
    events: Iterable[Event], engines: tuple[Engine, Engine]
) -> tuple[dict[str, int], Mapping[str, dict[str, int]]]:
    fired: dict[str, int] = defaultdict(int)
    both: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        theirs = {finding.rule_id for finding in engines[0].inspect(event).findings}
        ours = {finding.rule_id for finding in engines[1].inspect(event).findings} if theirs else ()
        for rule_id in theirs:
            fired[rule_id] += 1
            for other in ours:
                both[rule_id][other] += 1
    return fired, both


def _share(one: frozenset[Test], other: frozenset[Test]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _tests(node: Condition, prefix: str) -> Iterator[Test]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _tests(part, prefix)
        case Leaf(path, values):
            for value in values:
                yield f"{prefix}{path}".casefold(), str(value).casefold()
        case Element(path, _, body):
            yield from _tests(body, f"{prefix}{path}.")
        case _:
            return
