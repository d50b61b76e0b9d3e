"""The open window of one correlation group: what is held, announced and settled; JSON-able, capped."""

from __future__ import annotations

import json
import math
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
    value: str | float | None = None

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
    that the cap turned away since the last final finding. `judged` (seconds, event time): windows that end
    before it were judged on all their events; only figures that can rise when events leave keep it.
    """

    held: dict[tuple[int, str], Held] = field(default_factory=dict[tuple[int, str], Held])
    announced: list[Announced] = field(default_factory=list[Announced])
    floor: Order | None = None
    overflow: int = 0
    judged: float = -math.inf

    @classmethod
    def from_json(cls, state: Fields) -> Window:
        """Read a state that `to_json` wrote; an empty dict is an empty window."""
        window = cls(
            overflow=cast(int, state.get("overflow", 0)), judged=cast(float, state.get("judged", -math.inf))
        )
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
        if math.isfinite(self.judged):
            state["judged"] = self.judged
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
        by_rule = rule.kind in ("temporal", "temporal_ordered")
        for match in matches:
            place = places.get(match.rule)
            if place is None:
                continue
            item = Held(
                match.time,
                place if by_rule else 0,
                match.event_id,
                match.source,
                match.entities[:HELD_ENTITIES],
                match.summary,
                match.value,
            )
            if self.floor is not None and item.order <= self.floor:
                settled += 1
            else:
                known = self.held.get((item.rule, item.event_id))
                if known is None or _preferred(item) < _preferred(known):
                    self.held[item.rule, item.event_id] = item
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


def _preferred(item: Held) -> tuple[bool, str]:
    """One event may match several rules with other values: one of them counts, the same in any order."""
    return item.value is None, str(item.value)


def _row(item: Held) -> list[Json]:
    entities: list[Json] = [list(entity) for entity in item.entities]
    row: list[Json] = [item.time, item.rule, item.event_id, item.source, entities, item.summary]
    return row if item.value is None else [*row, item.value]


def _held(row: Sequence[Json]) -> Held:
    time, rule, event_id, source, entities, summary, *value = row
    known = tuple(
        Entity(cast(EntityType, kind), name, cast(EntityRole, role))
        for kind, name, role in cast("list[list[str]]", entities)
    )
    held = Held(cast(float, time), cast(int, rule), str(event_id), str(source), known, str(summary))
    return held._replace(value=cast("str | float", value[0])) if value else held
