"""The volume breaker: a rule that floods is put into shadow for a while, and that is said.

It counts findings of a rule in an hour of event time, a raw partition by itself. Over the limit the rule is
in shadow there until a whole day has passed in which no hour was over it. All that it knows are a few whole
numbers that ride in the partition's checkpoint: the same records give the same answer, after a crash, on
another worker and in a replay.

Whoever writes events must not be able to switch a rule off. So critical findings are never held; low ones
page nobody and are not counted; and in a flood the first finding of an actor that the flood has not shown
still goes out, at most `ACTORS` in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from detectors.event import Entity
from detectors.finding import Finding, rfc3339
from detectors.identifier import derive
from detectors.lifecycle.held import hold
from detectors.wording import MAX_SENTENCE, plain

FLOOD_RULE: Final = "davylamp-rule-flood"
SLOTS: Final = 8
"""Rules that are counted at a time, a partition; any rule with over a ninth of an hour's findings is one."""
ACTORS: Final = 52
QUIET_HOURS: Final = 24
AHEAD_S: Final = 300.0
_HOUR_S: Final = 3600
_RADIX: Final = 1_000_000
_PARTS: Final = ("rule", "seen", "down", "who")
_LEVELS: Final = frozenset({"medium", "high"})


@dataclass(slots=True)
class _Slot:
    """A rule (its number), its hour and count, the hours it is down for, the actors seen as bits."""

    rule: int = 0
    hour: int = 0
    count: int = 0
    start: int = 0
    end: int = 0
    actors: int = 0


class Passed(NamedTuple):
    """The finding as it goes on, and what is to be said of its rule."""

    finding: Finding
    flood: Finding | None = None


class Breaker:
    """The breaker of one raw partition. `limit`: findings of a rule in an hour; 0 switches it off."""

    def __init__(self, limit: int, topic: str, partition: int, known: Mapping[str, int]) -> None:
        """`known`: counters of the checkpoint; those that are not the breaker's are left alone."""
        self._limit = limit
        self._place = (topic, partition)
        self._slots = [_read(number, known) for number in range(SLOTS)]
        self._known = known

    def take(self, finding: Finding, appended: float) -> Passed:
        """Judge a finding of a record that was appended at `appended` (seconds, UTC), in offset order."""
        if not self._limit or finding.level not in _LEVELS or finding.base_level == "critical":
            return Passed(finding)
        if not 0 <= finding.event_time <= appended + AHEAD_S:
            return Passed(finding)
        hour = int(finding.event_time // _HOUR_S)
        slot = self._slot(_number(finding.rule_id), hour)
        if slot is None:
            return Passed(finding)
        return self._judge(slot, finding, hour)

    def changes(self) -> dict[str, int]:
        """Return what is to be added to the counters of the checkpoint."""
        now: dict[str, int] = {}
        for number, slot in enumerate(self._slots):
            now |= _written(number, slot)
        return {name: moved for name, value in now.items() if (moved := value - self._known.get(name, 0))}

    def _judge(self, slot: _Slot, finding: Finding, hour: int) -> Passed:
        if hour > slot.hour:
            slot.hour, slot.count = hour, 0
            if hour >= slot.end:
                slot.start = slot.end = slot.actors = 0
        slot.count = min(slot.count + 1, _RADIX - 1)
        bit = 1 << _number(_who(finding)) % ACTORS
        fresh = not slot.actors & bit
        slot.actors |= bit
        down = slot.start <= hour < slot.end
        flood = None
        if slot.count == self._limit + 1:
            if not down:
                slot.start = hour
                flood = self._said(finding, slot, hour)
            slot.end = max(slot.end, hour + 1 + QUIET_HOURS)
            down = True
        return Passed(hold(finding, "flood") if down and not fresh else finding, flood)

    def _slot(self, rule: int, hour: int) -> _Slot | None:
        """Return the rule's slot; when all are taken every count goes down by one (Misra, Gries 1982)."""
        free: _Slot | None = None
        for slot in self._slots:
            if slot.rule == rule:
                return slot
            if slot.rule == 0 or (slot.hour < hour and slot.end <= hour):
                free = free or slot
        if free is None:
            for slot in self._slots:
                if slot.end <= hour and slot.count:
                    slot.count -= 1
                    if not slot.count:
                        slot.rule = 0
            return None
        free.rule, free.hour, free.count = rule, hour, 0
        free.start = free.end = free.actors = 0
        return free

    def _said(self, finding: Finding, slot: _Slot, hour: int) -> Finding:
        topic, partition = self._place
        actors = slot.actors.bit_count()
        told = "one actor" if actors == 1 else f"at least {actors} actors"
        at = finding.event_time
        began, ends = rfc3339(hour * _HOUR_S), rfc3339((hour + 1 + QUIET_HOURS) * _HOUR_S)
        said = (
            f"{finding.title!r} made more than {self._limit} findings in the hour of {began} "
            f"in {topic}/{partition}, by {told}: it is in shadow there until {QUIET_HOURS} hours have passed "
            f"without such an hour, at least until {ends}"
        )
        return Finding(
            rule_id=FLOOD_RULE,
            title="A rule floods and was put into shadow",
            level="high",
            base_level="high",
            status="final",
            source=finding.source,
            event_id=finding.event_id,
            event_ids=(finding.event_id,),
            event_time=at,
            first_time=at,
            last_time=at,
            count=1,
            entities=(Entity("host", f"davylamp/rule/{finding.rule_id}", "target"), *finding.entities[:1]),
            attack=(),
            explain=plain(said, MAX_SENTENCE),
            finding_id=derive("finding", FLOOD_RULE, "1", finding.rule_id, topic, str(partition), str(hour)),
            labels={"rule": finding.rule_id, "topic": topic, "partition": str(partition)},
        )


def _who(finding: Finding) -> str:
    entities = finding.entities
    for kind, name, role in entities:
        if role == "actor":
            return f"{kind}:{name}"
    return f"{entities[0].type}:{entities[0].id}" if entities else ""


@lru_cache(maxsize=4096)
def _number(text: str) -> int:
    """Return 48 bits of a hash, never 0: a JSON number that every reader keeps exactly."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big") or 1


def _names(number: int) -> list[str]:
    return [f"flood{number}{part}" for part in _PARTS]


def _read(number: int, known: Mapping[str, int]) -> _Slot:
    rule, seen, down, who = (known.get(name, 0) for name in _names(number))
    return _Slot(rule, *divmod(seen, _RADIX), *divmod(down, _RADIX), who)


def _written(number: int, slot: _Slot) -> dict[str, int]:
    if not slot.rule:
        slot = _Slot()
    values = (slot.rule, slot.hour * _RADIX + slot.count, slot.start * _RADIX + slot.end, slot.actors)
    return dict(zip(_names(number), values, strict=True))
