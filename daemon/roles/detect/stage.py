"""The path of a batch: unpack, count, rules, aliases, flows, dead letters; then one confirmed write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from aiokafka.structs import TopicPartition

from connectors.kafka.batch import Loss, PartitionBatch, Record
from connectors.kafka.conservation import Counters
from connectors.kafka.producer import Message
from connectors.sources.envelope import Unpacked, unpack
from connectors.sources.source import Source
from daemon.roles.detect.blocks import PartitionBlocks
from daemon.roles.detect.canary_gate import CanaryGate, closed_gate
from daemon.roles.detect.dead_use import DeadUse
from daemon.roles.detect.loss import loss_finding
from daemon.roles.detect.outlining import Outlining, Told
from daemon.roles.detect.outputs import (
    finding_message,
    flow_message,
    match_message,
    pulse_message,
    reject_message,
)
from daemon.roles.detect.pulse import PartitionPulse
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.telling import Telling
from detectors import alias
from detectors.alias import RecentAliases
from detectors.event import Event
from detectors.exception.hits import Hits
from detectors.finding import Finding
from detectors.lifecycle.gate import Gate
from detectors.reused_id import ReusedIds
from detectors.sigma.engine import Engine, Inspection

FUTURE_S: Final = 300.0
ALIAS_MEMORY: Final = 20_000
_BREATH_EVENTS: Final = 500
_FLUSH_MESSAGES: Final = 2000
_LETTERS_WITH_VALUE: Final = 16
# What a hostile record could provoke in a source's own reading of its fields.
_PROFILE_FAULTS: Final = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(slots=True)
class Seen:
    """What the heartbeat says about a partition; times in seconds (UTC), 0 before the first event."""

    max_event_time: float = 0.0
    append_time: float = 0.0


@dataclass(slots=True)
class DetectStage:
    """The handler of detect's lane. `send` returns when the brokers have confirmed every message.

    `engine` and `gate` may be replaced at any time: each batch is judged by those that it began with.
    `whole`: every record is decoded as a whole; output and counts are the same. `counters_of` gives the
    counters of a partition's checkpoint, `flood_limit` see `Breaker`.
    """

    source_of: Mapping[str, Source]
    engine: Engine
    send: Callable[[Sequence[Message]], Awaitable[None]]
    repeated: RepeatedIds
    clock: Callable[[], float]
    max_record_bytes: int
    whole: bool = False
    gate: Gate = field(default_factory=Gate)
    flood_limit: int = 0
    counters_of: Callable[[TopicPartition], Mapping[str, int]] = field(default=lambda tp: {})
    hits: Hits = field(default_factory=Hits)
    seen: dict[TopicPartition, Seen] = field(default_factory=dict[TopicPartition, Seen])
    evaluation_errors: dict[str, int] = field(default_factory=dict[str, int])
    recent: RecentAliases = field(default_factory=lambda: RecentAliases(ALIAS_MEMORY))
    reused: ReusedIds = field(default_factory=ReusedIds)
    canaries: CanaryGate = field(default_factory=closed_gate)
    dead: DeadUse = field(default_factory=DeadUse)
    pulses: dict[TopicPartition, PartitionPulse] = field(default_factory=dict[TopicPartition, PartitionPulse])
    _unfinished: bool = False
    _outlining: dict[str, Outlining] = field(default_factory=dict[str, Outlining])
    _blocks: dict[TopicPartition, PartitionBlocks] = field(
        default_factory=dict[TopicPartition, PartitionBlocks]
    )

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        """Start every partition afresh: blocks are summed again from their first offset.

        A batch that was broken off may have stated aliases that nobody heard: all are stated again.
        """
        self.repeated.forget_batch()
        self.dead.known.forget_told()
        if self._unfinished:
            self.recent = RecentAliases(ALIAS_MEMORY)
        self._blocks = {tp: PartitionBlocks(tp) for tp in resume}
        self.pulses = {tp: PartitionPulse(tp, self.source_of[tp.topic].kind) for tp in resume}
        self.seen = {tp: self.seen.get(tp, Seen()) for tp in resume}

    async def lost(self, loss: Loss) -> None:
        """Write the critical finding about the source."""
        kind = self.source_of[loss.tp.topic].kind
        await self.send([finding_message(loss_finding(loss, kind, self.clock()))])

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        """Detect in whole batches; returns the counts when all output is confirmed."""
        self.repeated.begin_batch()
        self.canaries.begin()
        self._unfinished = True
        engine, gate = self.engine, self.gate
        tallies: list[_Tally] = []
        out: list[Message] = []
        for batch in batches:
            source, blocks = self.source_of[batch.tp.topic], self._blocks[batch.tp]
            tally = _Tally(self, batch, source, blocks, out, engine.inspect, gate)
            outlining = self._outlined(source, batch, engine)
            place = 0
            while place < len(batch.records):
                place = tally.run(place, outlining)
                await asyncio.sleep(0)
                if len(out) >= _FLUSH_MESSAGES:
                    await self.send(out)
                    out.clear()
            if outlining is not None:
                outlining.ended(place, tally.told.records)
            tally.finish()
            tallies.append(tally)
        if out:
            await self.send(out)
        self._unfinished = False
        self.canaries.confirmed()
        self.seen |= {tally.batch.tp: tally.seen for tally in tallies}
        self.hits.add(hit for tally in tallies for hit in tally.telling.hits)
        return {tally.batch.tp: tally.counts for tally in tallies}

    def _outlined(self, source: Source, batch: PartitionBatch, engine: Engine) -> Outlining | None:
        """Return what reads the batch in outline, None when every record is to be read in full."""
        if self.whole:
            return None
        topic = batch.tp.topic
        if topic not in self._outlining:
            self._outlining[topic] = Outlining(source, self.max_record_bytes)
        outlining = self._outlining[topic]
        return outlining if outlining.begin(engine) else None

    def fault(self, where: str) -> None:
        """Count a rule or a profile that failed on an event; the first one of each is logged."""
        if where not in self.evaluation_errors:
            structlog.get_logger("davylamp.detect").warning("evaluation failed", where=where)
        self.evaluation_errors[where] = self.evaluation_errors.get(where, 0) + 1


class _Tally:
    """One partition's share of a batch."""

    __slots__ = (
        *("batch", "blocks", "counts", "inspect", "out", "pulse", "seen", "source", "stage", "telling"),
        "told",
    )

    def __init__(
        self,
        stage: DetectStage,
        batch: PartitionBatch,
        source: Source,
        blocks: PartitionBlocks,
        out: list[Message],
        inspect: Callable[[Event], Inspection],
        gate: Gate,
    ) -> None:
        self.inspect = inspect
        self.stage = stage
        self.batch = batch
        self.source = source
        self.blocks = blocks
        self.pulse = stage.pulses[batch.tp]
        self.out = out
        self.counts: Counters = {}
        self.telling = Telling(batch.tp, gate, stage.flood_limit, stage.counters_of, self.counts)
        self.seen = replace(stage.seen.get(batch.tp, Seen()))
        self.told = Told(source.kind, blocks, stage.repeated, stage.reused, stage.recent)

    def run(self, place: int, outlining: Outlining | None) -> int:
        """Take records from `place` on, as many as may pass without a breath; return the next place."""
        records, committed, told = self.batch.records, self.batch.committed, self.told
        pulse = self.pulse
        events = 0
        while place < len(records) and events < _BREATH_EVENTS and len(self.out) < _FLUSH_MESSAGES:
            record = records[place]
            place += 1
            sampled = pulse.begin(record.offset, record.timestamp)
            suspect = self.stage.dead.suspects(self.source, record.value)
            if outlining is not None and not (sampled or suspect) and record.offset >= committed:
                glance = outlining.glance(record)
                if glance is not None and told.take(record, glance):
                    self._clock(record.timestamp / 1000, glance[1])
                    pulse.count(1)
                    events += 1
                    continue
            events += self.record(record, sampled, suspect)
        return place

    def record(self, record: Record, sampled: bool, suspect: bool) -> int:
        """Take one record; return how many events it held. `suspect`: it may name a dead credential."""
        tp = self.batch.tp
        unpacked = unpack(
            record.value,
            self.source,
            tp.topic,
            tp.partition,
            record.offset,
            max_bytes=self.stage.max_record_bytes,
        )
        told = record.offset < self.batch.committed
        if not told:
            self._account(record, unpacked)
        if record.headers and self._canary(record, unpacked.events, told):
            return len(unpacked.events)
        self._times(record, unpacked.events)
        self.pulse.count(len(unpacked.events))
        if sampled and unpacked.events:
            self.pulse.sample(unpacked.events[0], record.timestamp)
        for event in unpacked.events:
            if not told:
                self._inspect(event, record.timestamp)
            if suspect and not told:
                self.out += self.stage.dead.messages(self.source, event, self.stage.fault)
            self._flow(event, told)
        return len(unpacked.events)

    def finish(self) -> None:
        """Add the changed flows and pulses to the output, and what was told in outline to the counts."""
        self.told.count(self.counts)
        self.telling.finish()
        self.out.extend(flow_message(flow) for flow in self.blocks.changed())
        self.out.extend(pulse_message(pulse) for pulse in self.pulse.finished())

    def _account(self, record: Record, unpacked: Unpacked) -> None:
        self._count("records:read", 1)
        self._count(f"records:{unpacked.ending}", 1)
        rejects = unpacked.rejects
        if unpacked.unpacked_events:
            self._count("events:unpacked", unpacked.unpacked_events)
        if rejects and not unpacked.unreadable:
            self._count("events:rejected", len(rejects))
        for number, reject in enumerate(rejects):
            place = f"{record.topic}/{record.partition}/{record.offset}"
            index = reject.locator.index if reject.locator is not None else 0
            value = record.value if number < _LETTERS_WITH_VALUE else None
            self.out.append(reject_message(value, reject, self.source.kind, f"{place}/{index}"))

    def _canary(self, record: Record, events: Sequence[Event], told: bool) -> bool:
        """Return whether the record is a canary: counted as what it is, found by its own rule alone.

        It moves no clock, feeds no baseline, no correlation and no flow.
        """
        kind, gate = self.source.kind, self.stage.canaries
        if not gate.accepts(record, kind, self.counts, counted=told):
            return False
        if not told:
            found: list[Finding] = []
            for event in events:
                repeated = self.stage.repeated.seen(kind, event.event_id)
                self._count("events:repeated" if repeated else "events:accepted", 1)
                found += self.inspect(event).findings
            self.out += map(finding_message, gate.findings(record, kind, found, self.counts))
        self.seen.append_time = max(self.seen.append_time, record.timestamp / 1000)
        return True

    def _times(self, record: Record, events: Sequence[Event]) -> None:
        """Move the clock of the partition. An event over 5 min ahead of its append time never moves it."""
        appended = record.timestamp / 1000
        self.seen.append_time = max(self.seen.append_time, appended)
        for event in events:
            self._clock(appended, event.time)

    def _clock(self, appended: float, time: float) -> None:
        seen = self.seen
        if appended > seen.append_time:
            seen.append_time = appended
        if seen.max_event_time < time <= appended + FUTURE_S:
            seen.max_event_time = time

    def _inspect(self, event: Event, timestamp_ms: int) -> None:
        stage = self.stage
        try:
            event_id = event.event_id
        except _PROFILE_FAULTS as error:
            self._fault(f"{self.source.kind}.event_id", error)
            event_id = event._id = str(event.locator)
        repeated = stage.repeated.seen(self.source.kind, event_id)
        self._count("events:repeated" if repeated else "events:accepted", 1)
        inspected = self.inspect(event)
        if inspected.findings:
            self.out.extend(self.telling.messages(inspected.findings, timestamp_ms / 1000))
        self.out.extend(match_message(match) for match in inspected.matches)
        for failed in inspected.errors:
            stage.fault(failed.rule_id)
            self._count("rules:failed", 1)
        try:
            reused = None if repeated else stage.reused.finding(event)
            if reused is not None:
                self.out.append(finding_message(reused))
            self.out.extend(finding_message(finding) for finding in alias.findings(event, stage.recent))
        except _PROFILE_FAULTS as error:
            self._fault(f"{self.source.kind}.aliases_in", error)

    def _flow(self, event: Event, told: bool) -> None:
        try:
            contacts = self.source.contacts(event)
            overflow = self.blocks.add(event, contacts, told=told) if contacts else 0
        except _PROFILE_FAULTS as error:
            if not told:
                self._fault(f"{self.source.kind}.contacts", error)
            return
        if overflow and not told:
            self._count("flows:overflow", overflow)

    def _fault(self, where: str, error: Exception) -> None:
        self.stage.fault(f"{where}: {type(error).__name__}")
        self._count("profile:failed", 1)

    def _count(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number
