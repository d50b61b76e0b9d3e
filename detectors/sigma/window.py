"""The open window of one correlation group: what is held, announced and settled; JSON-able, capped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, cast

from detectors.event import Entity, EntityRole, EntityType, Fields, Json
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationRule

MAX_BYTES: Final = 512 * 1024
MAX_HELD: Final = 2_000
HELD_ENTITIES: Final = 8
Order: TypeAlias = tuple[float, int, str]
AFTER_ALL: Final = 1 << 30


class Held(NamedTuple):
    """One match inside the window; sorts by time, place of its rule in a sequence, event id."""

    time: float
    rule: int
    event_id: str
    source: str
    entities: tuple[Entity, ...]
    summary: str

    @property
    def order(self) -> Order:
        """The place in the walk: the same for every arrival order."""
        return self.time, self.rule, self.event_id


class Announced(NamedTuple):
    """A provisional finding that went out, and its events."""

    finding_id: str
    event_ids: frozenset[str]


@dataclass(slots=True)
class Window:
    """The state of one group.

    `floor`: everything at or before it is settled and never judged again. `overflow` counts matches
    that the cap turned away since the last final finding.
    """

    held: dict[tuple[int, str], Held] = field(default_factory=dict[tuple[int, str], Held])
    announced: list[Announced] = field(default_factory=list[Announced])
    floor: Order | None = None
    overflow: int = 0

    @classmethod
    def from_json(cls, state: Fields) -> Window:
        """Read a state that `to_json` wrote; an empty dict is an empty window."""
        window = cls(overflow=cast(int, state.get("overflow", 0)))
        for row in cast("list[list[Json]]", state.get("held", [])):
            item = _held(row)
            window.held[item.rule, item.event_id] = item
        for name, ids in cast("list[tuple[str, list[str]]]", state.get("announced", [])):
            window.announced.append(Announced(name, frozenset(ids)))
        floor = cast("list[Json] | None", state.get("floor"))
        if floor is not None:
            window.floor = cast(Order, tuple(floor))
        return window

    def to_json(self, due: float | None) -> Fields:
        """Return the state. `due`: once the watermark passes it, the group wants an `advance`."""
        state: Fields = {"held": [_row(item) for item in self.ordered()]}
        if self.announced:
            announced: list[Json] = [[item.finding_id, [*sorted(item.event_ids)]] for item in self.announced]
            state["announced"] = announced
        if self.floor is not None:
            state["floor"] = list(self.floor)
        if self.overflow:
            state["overflow"] = self.overflow
        if due is not None:
            state["due"] = due
        return state

    def ordered(self) -> Sequence[Held]:
        """Return what is held, in the order of the walk."""
        return sorted(self.held.values(), key=lambda item: item.order)

    def add(self, rule: CorrelationRule, matches: Iterable[Match]) -> int:
        """Hold new matches; those held already are left alone. Return how many were settled before."""
        settled = 0
        places = {rule_id: place for place, rule_id in reversed(list(enumerate(rule.rules)))}
        ordered = rule.kind == "temporal_ordered"
        for match in matches:
            place = places.get(match.rule)
            if place is None:
                continue
            item = Held(
                match.time,
                place if ordered else 0,
                match.event_id,
                match.source,
                match.entities[:HELD_ENTITIES],
                match.summary,
            )
            if self.floor is not None and item.order <= self.floor:
                settled += 1
            else:
                self.held.setdefault((item.rule, item.event_id), item)
        return settled

    def trim(self) -> int:
        """Turn away the latest matches until the window fits its cap. Return how many."""
        kept = 0
        size = 0
        ordered = self.ordered()
        for item in ordered:
            size += len(json.dumps(_row(item))) + 2
            if size > MAX_BYTES or kept == MAX_HELD:
                break
            kept += 1
        for item in ordered[kept:]:
            del self.held[item.rule, item.event_id]
        turned_away = len(ordered) - kept
        self.overflow += turned_away
        return turned_away

    def settle(self, floor: Order) -> None:
        """Forget everything at or before `floor`."""
        if self.floor is None or floor > self.floor:
            self.floor = floor
        self.held = {key: item for key, item in self.held.items() if item.order > floor}


def _row(item: Held) -> list[Json]:
    entities: list[Json] = [list(entity) for entity in item.entities]
    return [item.time, item.rule, item.event_id, item.source, entities, item.summary]


def _held(row: Sequence[Json]) -> Held:
    time, rule, event_id, source, entities, summary = row
    known = tuple(
        Entity(cast(EntityType, kind), name, cast(EntityRole, role))
        for kind, name, role in cast("list[list[str]]", entities)
    )
    return Held(cast(float, time), cast(int, rule), str(event_id), str(source), known, str(summary))
