"""The shape of a source: fields that were usual and are gone from most of its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from detectors.event import Fields
from detectors.silence.clock import DAY, WEEK
from detectors.silence.floor import is_chance
from detectors.silence.pulse import MAX_NAMES
from detectors.silence.spread import Spread

FEWEST_SAMPLED: Final = 50
USUAL_SHARE: Final = 0.1
SHIFT_SHARE: Final = 0.5
_LONGEST: Final = DAY


@dataclass(frozen=True, slots=True)
class Shift:
    """One field: the least share of events that had it before, and the share that has it now."""

    name: str
    usual: float
    now: float


@dataclass(slots=True)
class Shape:
    """Shares of fields. What is sampled is gathered until it is enough to be judged, at most a day.

    `missing` are the fields that were said to be missing; each is said once, until it is back.
    """

    known: dict[str, Spread] = field(default_factory=dict[str, Spread])
    missing: dict[str, int] = field(default_factory=dict[str, int])
    hours: int = 0
    sampled: int = 0
    events: int = 0
    floor: int = 0
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def take(
        self, hour: int, sampled: int, counts: dict[str, int], events: int, floor: int, learning: int
    ) -> list[Shift]:
        """Take in an hour; return the fields that went missing. `floor` is that of the hour's events.

        A field has shifted when its share is under half of the least share that it had, and the events that
        bear it are under half of the least there were: a flood of other events moves the first alone, and
        teaches nothing.
        """
        self.hours += 1
        self.sampled += sampled
        self.events += events
        self.floor += floor
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        if self.sampled < FEWEST_SAMPLED:
            if self.hours >= _LONGEST:
                self._begin_anew()
            return []
        shifts = self._judged(hour, learning)
        self._begin_anew()
        return shifts

    def _judged(self, hour: int, learning: int) -> list[Shift]:
        shifts: list[Shift] = []
        for name, spread in self.known.items():
            share = self.counts.get(name, 0) / self.sampled
            usual = spread.least
            if not spread.is_learnt(hour, learning) or usual < USUAL_SHARE or not self._is_rare(share, usual):
                spread.take(hour, share)
                self.missing.pop(name, None)
            elif name in self.missing:
                if hour - self.missing[name] >= WEEK:
                    spread.take(hour, share)
                    del self.missing[name]
            elif share * self.events <= SHIFT_SHARE * usual * self.floor:
                shifts.append(Shift(name, usual, share))
                self.missing[name] = hour
        self._meet(hour)
        return shifts

    def _is_rare(self, share: float, usual: float) -> bool:
        few = share <= SHIFT_SHARE * usual
        return few and not is_chance(round(share * self.sampled), usual * self.sampled)

    def _meet(self, hour: int) -> None:
        """Begin to learn fields that are new, as long as there is room; rare ones give way."""
        new = [name for name in sorted(self.counts) if name not in self.known]
        if len(self.known) + len(new) > MAX_NAMES:
            rare = [n for n, s in self.known.items() if n not in self.missing and s.least < USUAL_SHARE]
            for name in rare[: len(self.known) + len(new) - MAX_NAMES]:
                del self.known[name]
        for name in new[: MAX_NAMES - len(self.known)]:
            spread = self.known[name] = Spread()
            spread.take(hour, self.counts[name] / self.sampled)

    def _begin_anew(self) -> None:
        self.hours = self.sampled = self.events = self.floor = 0
        self.counts = {}

    def to_json(self) -> Fields:
        """Return the shape as JSON."""
        return {
            "known": {name: spread.to_json() for name, spread in self.known.items()},
            "missing": dict(self.missing),
            "gathered": [self.hours, self.sampled, self.events, self.floor],
            "counts": dict(self.counts),
        }

    @classmethod
    def from_json(cls, document: Fields) -> Shape:
        """Read back what `to_json` gave."""
        known = cast(Fields, document["known"])
        hours, sampled, events, floor = cast("list[int]", document["gathered"])
        return cls(
            {name: Spread.from_json(value) for name, value in known.items()},
            dict(cast("dict[str, int]", document["missing"])),
            hours,
            sampled,
            events,
            floor,
            dict(cast("dict[str, int]", document["counts"])),
        )
