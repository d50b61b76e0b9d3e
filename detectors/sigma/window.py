"""The open window of one correlation group: what is held, announced and settled; JSON-able, capped.

A window lives in memory between steps; `to_json` is for whoever keeps states elsewhere.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias, cast

import orjson

from detectors.event import Entity, EntityRole, EntityType, Fields, Json
from detectors.sigma.match import Match, Values

MAX_BYTES: Final = 512 * 1024
MAX_HELD: Final = 2_000
HELD_ENTITIES: Final = 8
Order: TypeAlias = tuple[float, int, str]
Key: TypeAlias = tuple[int, str]
AFTER_ALL: Final = 1 << 30


class Evidence(NamedTuple):
    """What a finding says of a match: the part of a match that a state keeps beside time and value."""

    source: str
    entities: tuple[Entity, ...]
    summary: str
    carried: tuple[Values, ...] = ()
    events: tuple[str, ...] = ()


class Held(NamedTuple):
    """One match inside the window; sorts by time, place of its rule in a sequence, event id."""

    time: float
    rule: int
    event_id: str
    value: str | float | None
    evidence: Match | Evidence

    @property
    def order(self) -> Order:
        """The place in the walk: the same for every arrival order."""
        return self.time, self.rule, self.event_id


class Announced(NamedTuple):
    """A provisional finding that went out, and the ids of its matches."""

    finding_id: str
    event_ids: frozenset[str]


_TIME: Final = attrgetter("time")


class Window:
    """The state of one group.

    `items` are sorted; `pending` matches are not among them yet (see `Correlator.flush`). `floor`: what
    lies at or before it is settled and never judged again. `overflow` counts matches that the cap turned
    away since the last final finding. `judged` (seconds, event time): windows that end before it were judged
    on all their events; only figures that can rise when events leave keep it. `due`: once the watermark is
    beyond it, the group wants a step. `quiet`: what is settled made no finding, nor would any part of it.
    `changed` since it was made or read.

    Hints that no state keeps: `most` is what the figure of no window exceeds. `open`: there is one open
    episode, it was announced, and it stays as it is if all matches to come are after the first of these two
    times (seconds); up to the second they join it.
    """

    __slots__ = (
        "_bytes",
        "_exact",
        "_known",
        "_rows",
        "_shut",
        "announced",
        "changed",
        "due",
        "floor",
        "items",
        "judged",
        "most",
        "open",
        "overflow",
        "pending",
        "quiet",
    )

    def __init__(self) -> None:
        self.items: list[Held] = []
        self.announced: list[Announced] = []
        self.floor: Order | None = None
        self.overflow = 0
        self.quiet = False
        self.judged = -math.inf
        self.due: float | None = None
        self.most: float | None = None
        self.pending: list[Match] = []
        self.open: tuple[float, float] | None = None
        self.changed = False
        self._known: set[Key] | None = None
        self._bytes = 0
        self._exact = False
        self._shut = False
        self._rows: list[bytes] | None = None

    @classmethod
    def from_json(cls, state: Fields) -> Window:
        """Read a state that `to_json` wrote; an empty dict is an empty window."""
        window = cls()
        window.overflow = cast(int, state.get("overflow", 0))
        window.quiet = state.get("quiet") is True
        window.judged = cast(float, state.get("judged", -math.inf))
        window.due = cast("float | None", state.get("due"))
        window.items = [_held(row) for row in cast("list[list[Json]]", state.get("held", []))]
        window._bytes = sum(map(_most, window.items))
        for name, ids in cast("list[tuple[str, list[str]]]", state.get("announced", [])):
            window.announced.append(Announced(name, frozenset(ids)))
        floor = cast("list[Json] | None", state.get("floor"))
        if floor is not None:
            window.floor = cast(Order, tuple(floor))
        return window

    def to_json(self) -> Fields:
        """Return the state; nothing must be pending."""
        held: list[Json] = [_row(item) for item in self.items]
        return {"held": held, **self._rest()}

    def dump(self) -> bytes:
        """Return the state as JSON text; rows that were written before are not made again.

        Raises orjson.JSONEncodeError for text that is no Unicode, which no record holds.
        """
        rows = self._rows
        if rows is None:
            rows = self._rows = [orjson.dumps(_row(item)) for item in self.items]
        rest = orjson.dumps(self._rest())
        return b'{"held":[' + b",".join(rows) + (b"]," + rest[1:] if len(rest) > 2 else b"]}")

    def _rest(self) -> Fields:
        state: Fields = {}
        if self.announced:
            announced: list[Json] = [[item.finding_id, [*sorted(item.event_ids)]] for item in self.announced]
            state["announced"] = announced
        if self.floor is not None:
            state["floor"] = list(self.floor)
        if self.overflow:
            state["overflow"] = self.overflow
        if self.quiet:
            state["quiet"] = True
        if math.isfinite(self.judged):
            state["judged"] = self.judged
        if self.due is not None:
            state["due"] = self.due
        return state

    def idle(self, watermark: float, keep_s: float) -> bool:
        """Return whether it holds nothing, and is quiet or settled `keep_s` seconds ago: safe to delete."""
        if self.items or self.pending:
            return False
        return self.quiet or self.floor is None or self.floor[0] + keep_s < watermark

    def add(self, matches: Iterable[Match], places: Mapping[str, int], by_rule: bool) -> tuple[int, int, int]:
        """Hold new matches. Return how many were settled before, were held already, and were turned away.

        `places` is rule id -> place in the correlation's list; a match of no listed rule is left out.
        """
        settled = repeated = refused = 0
        items, floor, size = self.items, self.floor, _exactly if self._exact else _most
        known = self._known
        if known is None:
            known = self._known = {(item.rule, item.event_id) for item in items}
        for match in matches:
            place = places.get(match.rule)
            if place is None:
                continue
            if not by_rule:
                place = 0
            time, event_id = match.time, match.event_id
            if floor is not None and time <= floor[0] and (time, place, event_id) <= floor:
                settled += 1
                continue
            item = Held(time, place, event_id, match.value, match)
            key = place, event_id
            if key in known:
                repeated += 1
                self._again(item)
                continue
            if self._shut and items and items[-1][:3] < item[:3]:
                refused += 1
                continue
            known.add(key)
            self._bytes += size(item)
            self.changed = True
            at = len(items) if not items or items[-1][0] < time else bisect_right(items, item[:3])
            items.insert(at, item)
            if self._rows is not None:
                self._rows.insert(at, orjson.dumps(_row(item)))
        if refused:
            self.overflow += refused
            self.changed = True
        return settled, repeated, refused

    def _again(self, item: Held) -> None:
        """One event may match several rules with other values: one of them counts, the same in any order."""
        place = next(
            n for n, old in enumerate(self.items) if old.event_id == item.event_id and old.rule == item.rule
        )
        old = self.items[place]
        if _preferred(item) < _preferred(old):
            del self.items[place]
            self.items.insert(bisect_right(self.items, item[:3]), item)
            self._bytes += _exactly(item) if self._exact else _most(item)
            self.changed = True
            self.open = None
            self._rows = None

    def trim(self) -> int:
        """Turn away the latest matches until the window fits its cap. Return how many."""
        items = self.items
        if len(items) <= MAX_HELD and self._bytes <= MAX_BYTES:
            return 0
        if not self._exact or self._bytes > MAX_BYTES:
            self._exact = True
            self._bytes = sum(map(_exactly, items))
        turned_away = 0
        while items and (len(items) > MAX_HELD or self._bytes > MAX_BYTES):
            self._bytes -= _exactly(items.pop())
            turned_away += 1
        self._shut = turned_away > 0
        if turned_away:
            self._known = None
            self._rows = None
            self.open = None
            self.overflow += turned_away
            self.changed = True
        return turned_away

    def settle(self, floor: Order) -> None:
        """Forget everything at or before `floor`."""
        if self.floor is None or floor > self.floor:
            self.floor = floor
            self.changed = True
        items = self.items
        count = bisect_right(items, floor[0], key=_TIME)
        while count and items[count - 1][:3] > floor:
            count -= 1
        if not count:
            return
        gone = items[:count]
        del items[:count]
        if self._rows is not None:
            del self._rows[:count]
        self._shut = False
        self.changed = True
        known = self._known
        if known is not None:
            for item in gone:
                known.discard((item[1], item[2]))
        size = _exactly if self._exact else _most
        self._bytes = self._bytes - sum(map(size, gone)) if items else 0
        if self.announced:
            held = {item[2] for item in items}
            self.announced = [told for told in self.announced if not told.event_ids.isdisjoint(held)]

    def forget(self, horizon: float, *, quiet: bool = False) -> None:
        """Forget everything before the event time `horizon` (seconds); it is settled.

        `quiet`: no part of it makes a finding.
        """
        gone = bisect_left(self.items, horizon, key=_TIME)
        if gone:
            if quiet and self.floor is None:
                self.quiet = True
            self.settle((self.items[gone - 1].time, AFTER_ALL, ""))


def _preferred(item: Held) -> tuple[bool, str]:
    return item.value is None, str(item.value)


def _most(item: Held) -> int:
    """Return a number of bytes that the row of a match never exceeds: six a character, and its frame."""
    _, _, event_id, value, known = item
    if known.events or known.carried:
        return _exactly(item)
    letters = len(event_id) + len(known.summary) + len(known.source)
    for _, name, _ in known.entities:
        letters += len(name) + 12
    if value is not None:
        letters += len(value) if isinstance(value, str) else 5
    return 6 * letters + 120


def _exactly(item: Held) -> int:
    return len(json.dumps(_row(item))) + 2


def _row(item: Held) -> list[Json]:
    known = item.evidence
    entities: list[Json] = [list(entity) for entity in known.entities[:HELD_ENTITIES]]
    row: list[Json] = [item.time, item.rule, item.event_id, known.source, entities, known.summary]
    if item.value is None and not known.events and not known.carried:
        return row
    row.append(item.value)
    if known.events or known.carried:
        carried: list[Json] = [list(values) for values in known.carried]
        row.append(carried)
        row.append([*known.events])
    return row


def _held(row: Sequence[Json]) -> Held:
    time, rule, event_id, source, entities, summary, *more = row
    known = tuple(
        Entity(cast(EntityType, kind), name, cast(EntityRole, role))
        for kind, name, role in cast("list[list[str]]", entities)
    )
    carried = cast("list[list[str | None]]", more[1]) if len(more) > 1 else []
    events = cast("list[str]", more[2]) if len(more) > 1 else []
    evidence = Evidence(str(source), known, str(summary), tuple(map(tuple, carried)), tuple(events))
    value = cast("str | float | None", more[0]) if more else None
    return Held(cast(float, time), cast(int, rule), str(event_id), value, evidence)
