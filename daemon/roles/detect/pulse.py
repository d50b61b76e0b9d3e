"""Pulses: events of each ten minutes of append time, and a sample of their shape, by block and hour.

A block is always summed from its first offset on, also after a restart. Pulses of a finished block are
written with its batch; those of the open one with the heartbeat that is about to say that their time is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from aiokafka.structs import TopicPartition

from daemon.roles.detect.blocks import BLOCK_OFFSETS, block_start
from detectors.event import Event, Json
from detectors.silence.clock import SLOT_S, SLOTS, slot_of
from detectors.silence.pulse import MAX_NAME, MAX_NAMES, Pulse

SAMPLE_EVERY: Final = 64
SAMPLE_FIRST: Final = 8
"""Of each ten minutes of a block so many first records are sampled, then each 64th: a quiet source is sampled
well, a busy one cheaply."""
MAX_HOURS: Final = 8
_LONGEST_HOLE: Final = 64
_SLOT_MS: Final = SLOT_S * 1000
_MOST_TOP: Final = 128
_MOST_BELOW: Final = 64
_EMPTY: Final = ("", "-", None)


def reread_from(offset: int) -> int:
    """Return the offset to begin from when `offset` is to be read next.

    The beginning of its block; of the block before if that ended just now, for then no record has come yet
    that would have told it. Transactions and compaction leave holes of a few offsets.
    """
    return block_start(max(0, offset - _LONGEST_HOLE))


@dataclass(slots=True)
class PulseHour:
    """One hour of the open block.

    `first_untold` is the first ten minutes (their number) in which something may lie that was not told yet,
    -1 for none; `told_through` the offset up to which all is told.
    """

    slots: list[int] = field(default_factory=lambda: [0] * SLOTS)
    through: int = -1
    first_untold: int = -1
    told_through: int = -1
    sampled: int = 0
    delays: list[float] = field(default_factory=list[float])
    top: dict[str, int] = field(default_factory=dict[str, int])
    below: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    def sample(self, event: Event, appended: float) -> None:
        """Take in the shape and the delay of one event; the names are bounded, whoever writes them."""
        self.sampled += 1
        self.delays.append(appended - event.time)
        top = self.top
        for name, value in event.fields.items():
            if type(value) is dict:
                self._inner(name, value)
            elif value in _EMPTY:
                continue
            if name in top:
                top[name] += 1
            elif len(top) < _MOST_TOP and len(name) <= MAX_NAME:
                top[name] = 1

    def _inner(self, name: str, value: Mapping[str, Json]) -> None:
        below = self.below.get(name)
        if below is None:
            if len(self.below) >= _MOST_BELOW or len(name) > MAX_NAME:
                return
            below = self.below[name] = {}
        for number, inner in enumerate(value):
            if number >= _MOST_BELOW:
                return
            if inner in below:
                below[inner] += 1
            elif len(below) < _MOST_BELOW and len(name) + len(inner) < MAX_NAME:
                below[inner] = 1

    def fields(self) -> dict[str, int]:
        """Return the names of the top level, then the most frequent below them (``a.b``), 256 in all."""
        below = [
            (count, f"{name}.{inner}")
            for name, inners in self.below.items()
            for inner, count in inners.items()
        ]
        below.sort(key=lambda item: (-item[0], item[1]))
        counts = dict(self.top)
        for count, name in below[: MAX_NAMES - len(counts)]:
            counts[name] = counts.get(name, 0) + count
        return {name: count for name, count in sorted(counts.items()) if name.isprintable()}


@dataclass(slots=True)
class PartitionPulse:
    """The hours of the open block of one partition, and pulses of finished blocks not written yet."""

    tp: TopicPartition
    source: str
    _block: int = -1
    _slot: int = -1
    _block_end: int = -1
    _first_left: int = 0
    _hour: PulseHour = field(default_factory=PulseHour)
    _place: int = 0
    _hours: dict[int, PulseHour] = field(default_factory=dict[int, PulseHour])
    _finished: list[Pulse] = field(default_factory=list[Pulse])

    def begin(self, offset: int, timestamp_ms: int) -> bool:
        """Take in a record by its append time, in offset order; `count` says then how many events it held.

        Returns whether it belongs to the sample: then it is read in full, its first event goes to `sample`.
        The records from the block's beginning on decide that, so a replay samples the same ones.
        """
        if timestamp_ms // _SLOT_MS != self._slot or offset >= self._block_end:
            self._turn(offset, timestamp_ms // _SLOT_MS)
        self._hour.through = offset
        if self._first_left:
            self._first_left -= 1
            return True
        return not offset % SAMPLE_EVERY

    def count(self, events: int) -> None:
        """Count the events of the record that was begun last."""
        self._hour.slots[self._place] += events

    def sample(self, event: Event, timestamp_ms: int) -> None:
        """Take in the shape and the delay of an event of the record that was begun last."""
        self._hour.sample(event, timestamp_ms / 1000)

    def finished(self) -> Iterator[Pulse]:
        """Give the pulses of finished blocks, once."""
        finished, self._finished = self._finished, []
        yield from finished

    def due(self, reached: float) -> list[tuple[Pulse, PulseHour]]:
        """Return the pulses that must be known before anybody hears that `reached` (seconds) has passed."""
        slot = slot_of(reached)
        return [
            (self._pulse(number, hour), hour)
            for number, hour in sorted(self._hours.items())
            if hour.through != hour.told_through and -1 < hour.first_untold < slot
        ]

    def told(self, pulse: Pulse, hour: PulseHour) -> None:
        """Note that a pulse from `due` is confirmed; what was added meanwhile is told again."""
        hour.told_through = pulse.through
        if hour.through == pulse.through:
            hour.first_untold = self._slot if hour is self._hour else -1

    def _turn(self, offset: int, slot: int) -> None:
        """Begin another block, or other ten minutes."""
        block = offset // BLOCK_OFFSETS
        if block != self._block:
            for number, hour in sorted(self._hours.items()):
                self._finish(number, hour)
            self._hours = {}
            self._block, self._block_end = block, (block + 1) * BLOCK_OFFSETS
        self._slot, self._first_left = slot, SAMPLE_FIRST
        number, self._place = divmod(slot, SLOTS)
        if number not in self._hours and len(self._hours) >= MAX_HOURS:
            number, self._place = self._make_room(number, self._place)
        self._hour = self._hours.setdefault(number, PulseHour())
        if not -1 < self._hour.first_untold <= slot:
            self._hour.first_untold = slot

    def _make_room(self, number: int, place: int) -> tuple[int, int]:
        """Let the oldest hour go; what is older still counts to the end of the oldest that is kept."""
        oldest = min(self._hours)
        if number < oldest:
            return oldest, SLOTS - 1
        self._finish(oldest, self._hours.pop(oldest))
        return number, place

    def _finish(self, number: int, hour: PulseHour) -> None:
        if hour.through != hour.told_through:
            self._finished.append(self._pulse(number, hour))

    def _pulse(self, number: int, hour: PulseHour) -> Pulse:
        return Pulse(
            source=self.source,
            topic=self.tp.topic,
            partition=self.tp.partition,
            block=self._block,
            hour=number,
            through=hour.through,
            slots=tuple(hour.slots),
            sampled=hour.sampled,
            delay=round(median(hour.delays), 3) if hour.delays else None,
            fields=hour.fields(),
        )
