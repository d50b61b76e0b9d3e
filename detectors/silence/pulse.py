"""A pulse: how one hour of append time looked in one block of a source partition, on `davylamp.flows`.

Of one (topic, partition, block, hour) the pulse that reaches the furthest offset replaces the others: a block
is always summed from its first offset on, so the same records give the same pulse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from detectors.event import Fields, Json
from detectors.identifier import derive
from detectors.silence.clock import SLOTS

MAX_NAMES: Final = 256
MAX_NAME: Final = 64
MAX_TOPIC: Final = 249
"""Kafka's own bound of a topic's name."""
_MOST: Final = 1 << 53


class PulseFormatError(ValueError):
    """A record is not a pulse; the message names the key."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse. `slots` are events of each ten minutes of the hour (append time).

    Of the `sampled` events `fields` says how many had which field (top level, and ``a.b`` below it), and
    `delay` is the median of append time minus event time in seconds; None when nothing was sampled.
    """

    source: str
    topic: str
    partition: int
    block: int
    hour: int
    through: int
    slots: tuple[int, ...]
    sampled: int = 0
    delay: float | None = None
    fields: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def key(self) -> str:
        """The record's key: all pulses of a topic meet in one partition."""
        return f"pulse|{self.topic}"

    def to_json(self) -> Fields:
        """Return the message of ``docs/silence.md``."""
        return {
            "kind": "pulse",
            "pulse_id": derive("pulse", self.topic, str(self.partition), str(self.block), str(self.hour)),
            "source": self.source,
            "topic": self.topic,
            "partition": self.partition,
            "block": self.block,
            "hour": self.hour,
            "through": self.through,
            "slots": list(self.slots),
            "sampled": self.sampled,
            "delay": self.delay,
            "fields": dict(self.fields),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Json]) -> Pulse:
        """Read a record. Raises PulseFormatError that names the first wrong key."""
        slots, fields, delay = record.get("slots"), record.get("fields"), record.get("delay")
        topic, source = record.get("topic"), record.get("source")
        if not isinstance(topic, str) or not 0 < len(topic) <= MAX_TOPIC or "|" in topic:
            raise PulseFormatError("topic")
        if not isinstance(source, str):
            raise PulseFormatError("source")
        if not isinstance(slots, list) or len(slots) != SLOTS:
            raise PulseFormatError("slots")
        if not isinstance(fields, dict) or len(fields) > MAX_NAMES:
            raise PulseFormatError("fields")
        if delay is not None and (not isinstance(delay, int | float) or not math.isfinite(delay)):
            raise PulseFormatError("delay")
        return cls(
            source=source,
            topic=topic,
            partition=_count(record, "partition"),
            block=_count(record, "block"),
            hour=_count(record, "hour"),
            through=_count(record, "through"),
            slots=tuple(_whole(value, "slots") for value in slots),
            sampled=_count(record, "sampled"),
            delay=None if delay is None else float(cast(float, delay)),
            fields={name: _whole(value, "fields") for name, value in fields.items()},
        )


def _count(record: Mapping[str, Json], key: str) -> int:
    return _whole(record.get(key), key)


def _whole(value: Json, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise PulseFormatError(key)
    return value
