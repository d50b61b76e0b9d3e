"""Pulses into the watch over each source topic: hours gather, and close when all of them was told.

Keys of the table: ``pulse|TOPIC`` is the watch, ``pulse|TOPIC|PARTITION|HOUR`` an hour that gathers. An hour
that was judged is deleted by a later batch, when the watch that judged it is confirmed: the other way round a
crash between the two would leave an hour without its events, which is silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from daemon.roles.correlate.arrivals import Arrivals
from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Evaluation, Record, States, Write, text_key
from daemon.roles.correlate.heartbeat import parse_heartbeat
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.watermark import NEVER
from detectors.event import Fields
from detectors.silence.clock import DAY, HOUR_S, SLOTS, slot_of
from detectors.silence.pulse import Pulse, PulseFormatError
from detectors.silence.tally import grown, total
from detectors.silence.watch import Watch

PREFIX: Final = "pulse|"
MAX_OPEN_HOURS: Final = 1500
FUTURE_S: Final = 3600.0


@dataclass(slots=True)
class _Topic:
    """What is known of a topic beside the states: the slot judged last, the hours that gather, those done.

    `new`: nothing was judged yet, so an earlier hour may still come.
    """

    slot: int
    new: bool = True
    hours: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    done: list[str] = field(default_factory=list[str])


class PulseEvaluator:
    """Evaluates the pulses and heartbeats of `davylamp.flows`.

    `topics` is raw topic -> source kind; `learning_s` the learning period in seconds of append time,
    at least a day.
    """

    def __init__(self, topics: Mapping[str, str], learning_s: float, metrics: Metrics) -> None:
        self._kinds = topics
        self.learning_hours = max(DAY, int(learning_s // HOUR_S))
        self.metrics = metrics
        self._arrivals: dict[int, Arrivals] = {}
        self._known: dict[int, dict[str, _Topic]] = {}

    def begin(self, states: States) -> PulseBatch:
        """Return what one batch is evaluated with."""
        return PulseBatch(self, states)

    def forget(self) -> None:
        """Drop what is kept beside the states: heartbeats tell it again, the states are read again."""
        self._arrivals.clear()
        self._known.clear()

    def kind(self, topic: str) -> str:
        """Return the kind of a configured topic. Raises MessageFormatError("unknown_topic")."""
        try:
            return self._kinds[topic]
        except KeyError as error:
            raise MessageFormatError("unknown_topic") from error

    def arrivals(self, partition: int) -> Arrivals:
        """Return what heartbeats said in a partition of flows."""
        return self._arrivals.setdefault(partition, Arrivals(self._kinds))

    def known(self, partition: int, states: States) -> dict[str, _Topic]:
        """Return the topics of a partition of flows, read from its states on first use."""
        if partition not in self._known:
            self._known[partition] = _read(partition, states)
        return self._known[partition]


class PulseBatch:
    """The watches of one batch while it is evaluated."""

    def __init__(self, owner: PulseEvaluator, states: States) -> None:
        self._owner = owner
        self._states = states
        self._current: dict[tuple[int, str], Fields | None] = {}
        self._changed: set[tuple[int, str]] = set()
        self._done: list[tuple[_Topic, str]] = []

    def take_pulse(self, record: Record, document: Fields) -> None:
        """Gather a pulse. Raises MessageFormatError for one that is not, or of no topic of ours."""
        try:
            pulse = Pulse.from_json(document)
        except PulseFormatError as error:
            raise MessageFormatError("pulse") from error
        if text_key(record) != pulse.key:
            raise MessageFormatError("key")
        kind, metrics = self._owner.kind(pulse.topic), self._owner.metrics
        if pulse.hour * HOUR_S > record.time + FUTURE_S:
            metrics.future.labels("pulse").inc()
            return
        metrics.flows.labels("pulse").inc()
        topic = self._topic(record.partition, pulse, kind)
        if topic.slot >= pulse.hour * SLOTS + SLOTS - 1:
            metrics.silent.labels("settled").inc()
        elif pulse.hour not in topic.hours and len(topic.hours) >= MAX_OPEN_HOURS:
            metrics.report_overflow("pulse", pulse.topic, 1)
        else:
            self._gather(record.partition, topic, pulse)

    def take_heartbeat(self, record: Record, document: Fields, evaluation: Evaluation) -> None:
        """Judge what is whole now."""
        arrivals = self._owner.arrivals(record.partition)
        arrivals.observe(parse_heartbeat(document, record.time))
        for name, topic in self._owner.known(record.partition, self._states).items():
            reached = arrivals.of(name)
            if reached > NEVER and slot_of(reached) - 1 > topic.slot:
                self._advance(record.partition, name, topic, slot_of(reached) - 1, evaluation)

    def finish(self, evaluation: Evaluation) -> None:
        """Add the states to write; what was judged may be deleted from the next batch on."""
        for place in sorted(self._changed):
            state = self._current[place]
            evaluation.writes.append(
                Write(place[1], None if state is None else orjson.dumps(state), place[0])
            )
        for topic, key in self._done:
            topic.done.append(key)

    def _topic(self, partition: int, pulse: Pulse, kind: str) -> _Topic:
        """Return the topic; the first pulses of one begin its watch, with the earliest hour among them."""
        known = self._owner.known(partition, self._states)
        topic = known.get(pulse.topic)
        if topic is None or (topic.new and pulse.hour * SLOTS <= topic.slot):
            watch = Watch.begin(pulse.topic, kind, pulse.hour)
            self._put(partition, pulse.key, watch.to_json())
            topic = topic or known.setdefault(pulse.topic, _Topic(watch.slot))
            topic.slot = watch.slot
        return topic

    def _gather(self, partition: int, topic: _Topic, pulse: Pulse) -> None:
        key = f"{PREFIX}{pulse.topic}|{pulse.partition}|{pulse.hour}"
        state = grown(self._get(partition, key), pulse)
        topic.hours.setdefault(pulse.hour, set()).add(pulse.partition)
        if state is not None:
            self._put(partition, key, state)

    def _advance(self, partition: int, name: str, topic: _Topic, until: int, evaluation: Evaluation) -> None:
        for key in topic.done:
            self._put(partition, key, None)
        topic.done.clear()
        state = self._get(partition, PREFIX + name)
        if state is None:
            return
        watch = Watch.from_json(state)
        due = sorted(hour for hour in topic.hours if hour * SLOTS <= until)
        keys = {hour: [f"{PREFIX}{name}|{n}|{hour}" for n in sorted(topic.hours[hour])] for hour in due}
        hours = {
            hour: total(state for key in keys[hour] if (state := self._get(partition, key)) is not None)
            for hour in due
        }
        evaluation.findings.extend(watch.advance(until, hours, self._owner.learning_hours))
        self._put(partition, PREFIX + name, watch.to_json())
        topic.slot, topic.new = watch.slot, watch.is_new
        for hour in due:
            if hour * SLOTS + SLOTS - 1 <= watch.slot:
                self._done += [(topic, key) for key in keys[hour]]
                del topic.hours[hour]

    def _get(self, partition: int, key: str) -> Fields | None:
        place = partition, key
        if place not in self._current:
            value = self._states.read(key, partition)
            self._current[place] = None if value is None else orjson.loads(value)
        return self._current[place]

    def _put(self, partition: int, key: str, state: Fields | None) -> None:
        self._current[partition, key] = state
        self._changed.add((partition, key))


def _read(partition: int, states: States) -> dict[str, _Topic]:
    topics: dict[str, _Topic] = {}
    gathering: list[tuple[str, str, int, int]] = []
    for key in states.keys_of(partition):
        if not key.startswith(PREFIX):
            continue
        parts = key.split("|")
        value = states.read(key, partition)
        if len(parts) == 2 and value is not None:
            watch = Watch.from_json(orjson.loads(value))
            topics[parts[1]] = _Topic(watch.slot, watch.is_new)
        elif len(parts) == 4:
            gathering.append((key, parts[1], int(parts[2]), int(parts[3])))
    for key, name, number, hour in gathering:
        topic = topics.get(name)
        if topic is None:
            continue
        if hour * SLOTS + SLOTS - 1 <= topic.slot:
            topic.done.append(key)
        else:
            topic.hours.setdefault(hour, set()).add(number)
    return topics
