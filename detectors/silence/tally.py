"""Sums of pulses: of one source partition's hour while it grows, and of the whole topic's hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from detectors.event import Fields
from detectors.silence.clock import SLOTS
from detectors.silence.pulse import MAX_NAMES, Pulse

_MINUTE_S: Final = 60.0
_MOST_MINUTES: Final = 2880.0
_FINE_MINUTES: Final = 120.0


@dataclass(slots=True)
class Tally:
    """Sums over pulses. `delays` are sampled events by the median delay of their pulse, in minutes."""

    slots: list[int] = field(default_factory=lambda: [0] * SLOTS)
    sampled: int = 0
    fields: dict[str, int] = field(default_factory=dict[str, int])
    delays: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def events(self) -> int:
        """Events of the whole hour."""
        return sum(self.slots)

    def add_pulse(self, pulse: Pulse) -> None:
        """Add one pulse."""
        delays = {} if pulse.delay is None else {minutes(pulse.delay): pulse.sampled}
        self.add(Tally(list(pulse.slots), pulse.sampled, dict(pulse.fields), delays))

    def add(self, other: Tally) -> None:
        """Add another sum; of more than 256 field names the most frequent stay."""
        self.slots = [mine + its for mine, its in zip(self.slots, other.slots, strict=True)]
        self.sampled += other.sampled
        for name, count in other.fields.items():
            self.fields[name] = self.fields.get(name, 0) + count
        if len(self.fields) > MAX_NAMES:
            kept = sorted(self.fields.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES]
            self.fields = dict(sorted(kept))
        for minute, weight in other.delays.items():
            self.delays[minute] = self.delays.get(minute, 0) + weight

    def median_delay(self) -> float | None:
        """Return the weighted median of the delays in seconds, None without any."""
        half = sum(self.delays.values()) / 2
        for minute in sorted(self.delays):
            half -= self.delays[minute]
            if half <= 0:
                return minute * _MINUTE_S
        return None

    def to_json(self) -> Fields:
        """Return the sum as JSON."""
        return {
            "slots": list(self.slots),
            "sampled": self.sampled,
            "fields": dict(self.fields),
            "delays": {str(minute): weight for minute, weight in self.delays.items()},
        }

    @classmethod
    def from_json(cls, document: Fields) -> Tally:
        """Read back what `to_json` gave."""
        delays = cast("dict[str, int]", document["delays"])
        return cls(
            list(cast("list[int]", document["slots"])),
            cast(int, document["sampled"]),
            dict(cast("dict[str, int]", document["fields"])),
            {int(minute): weight for minute, weight in delays.items()},
        )


def minutes(delay: float) -> int:
    """Return a delay in whole minutes, in whole hours beyond two hours, at most two days either way."""
    near = max(-_MOST_MINUTES, min(_MOST_MINUTES, delay / _MINUTE_S))
    return round(near) if abs(near) <= _FINE_MINUTES else round(near / 60) * 60


def grown(state: Fields | None, pulse: Pulse) -> Fields | None:
    """Return the state of (source partition, hour) after a pulse, None when it says nothing new.

    State: the pulses of finished blocks as one sum, and the pulse of the last block. Blocks of a partition
    are told in their order; one that comes again (a replay, a replaced worker) is in the sum already.
    """
    if state is None:
        return {"past": Tally().to_json(), "last": pulse.to_json()}
    last = Pulse.from_json(cast(Fields, state["last"]))
    if pulse.block < last.block:
        return None
    if pulse.block == last.block:
        newer = (pulse.through, sum(pulse.slots)) > (last.through, sum(last.slots))
        return {"past": state["past"], "last": pulse.to_json()} if newer else None
    past = Tally.from_json(cast(Fields, state["past"]))
    past.add_pulse(last)
    return {"past": past.to_json(), "last": pulse.to_json()}


def total(states: Iterable[Mapping[str, object]]) -> Tally:
    """Return the sum over the states of all partitions of an hour."""
    out = Tally()
    for state in states:
        out.add(Tally.from_json(cast(Fields, state["past"])))
        out.add_pulse(Pulse.from_json(cast(Fields, state["last"])))
    return out
