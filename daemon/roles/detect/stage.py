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
from daemon.roles.detect.loss import loss_finding
from daemon.roles.detect.outputs import (
    finding_message,
    flow_message,
    match_message,
    reject_message,
)
from daemon.roles.detect.repeated import RepeatedIds
from detectors import alias
from detectors.alias import RecentAliases
from detectors.event import Event
from detectors.reused_id import ReusedIds
from detectors.sigma.engine import Inspection

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

    `inspect` may be replaced at any time: each batch is judged by the one that it began with.
    """

    source_of: Mapping[str, Source]
    inspect: Callable[[Event], Inspection]
    send: Callable[[Sequence[Message]], Awaitable[None]]
    repeated: RepeatedIds
    clock: Callable[[], float]
    max_record_bytes: int
    seen: dict[TopicPartition, Seen] = field(default_factory=dict[TopicPartition, Seen])
    evaluation_errors: dict[str, int] = field(default_factory=dict[str, int])
    recent: RecentAliases = field(default_factory=lambda: RecentAliases(ALIAS_MEMORY))
    reused: ReusedIds = field(default_factory=ReusedIds)
    _unfinished: bool = False
    _blocks: dict[TopicPartition, PartitionBlocks] = field(
        default_factory=dict[TopicPartition, PartitionBlocks]
    )

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        """Start every partition afresh: blocks are summed again from their first offset.

        A batch that was broken off may have stated aliases that nobody heard: all are stated again.
        """
        self.repeated.forget_batch()
        if self._unfinished:
            self.recent = RecentAliases(ALIAS_MEMORY)
        self._blocks = {tp: PartitionBlocks(tp) for tp in resume}
        self.seen = {tp: self.seen.get(tp, Seen()) for tp in resume}

    async def lost(self, loss: Loss) -> None:
        """Write the critical finding about the source."""
        kind = self.source_of[loss.tp.topic].kind
        await self.send([finding_message(loss_finding(loss, kind, self.clock()))])

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        """Detect in whole batches; returns the counts when all output is confirmed."""
        self.repeated.begin_batch()
        self._unfinished = True
        inspect = self.inspect
        tallies: list[_Tally] = []
        out: list[Message] = []
        since_breath = 0
        for batch in batches:
            tally = _Tally(self, batch, self.source_of[batch.tp.topic], self._blocks[batch.tp], out, inspect)
            for record in batch.records:
                since_breath += tally.record(record)
                if since_breath >= _BREATH_EVENTS:
                    since_breath = 0
                    await asyncio.sleep(0)
                if len(out) >= _FLUSH_MESSAGES:
                    await self.send(out)
                    out.clear()
            tally.finish()
            tallies.append(tally)
        if out:
            await self.send(out)
        self._unfinished = False
        self.seen |= {tally.batch.tp: tally.seen for tally in tallies}
        return {tally.batch.tp: tally.counts for tally in tallies}

    def fault(self, where: str) -> None:
        """Count a rule or a profile that failed on an event; the first one of each is logged."""
        if where not in self.evaluation_errors:
            structlog.get_logger("davylamp.detect").warning("evaluation failed", where=where)
        self.evaluation_errors[where] = self.evaluation_errors.get(where, 0) + 1


class _Tally:
    """One partition's share of a batch."""

    __slots__ = ("batch", "blocks", "counts", "inspect", "out", "seen", "source", "stage")

    def __init__(
        self,
        stage: DetectStage,
        batch: PartitionBatch,
        source: Source,
        blocks: PartitionBlocks,
        out: list[Message],
        inspect: Callable[[Event], Inspection],
    ) -> None:
        self.inspect = inspect
        self.stage = stage
        self.batch = batch
        self.source = source
        self.blocks = blocks
        self.out = out
        self.counts: Counters = {}
        self.seen = replace(stage.seen.get(batch.tp, Seen()))

    def record(self, record: Record) -> int:
        """Take one record; return how many events it held."""
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
        self._times(record, unpacked.events)
        for event in unpacked.events:
            if not told:
                self._inspect(event)
            self._flow(event, told)
        return len(unpacked.events)

    def finish(self) -> None:
        """Add the changed flows to the output."""
        self.out.extend(flow_message(flow) for flow in self.blocks.changed())

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

    def _times(self, record: Record, events: Sequence[Event]) -> None:
        """Move the clock of the partition. An event over 5 min ahead of its append time never moves it."""
        appended = record.timestamp / 1000
        seen = self.seen
        if appended > seen.append_time:
            seen.append_time = appended
        limit = appended + FUTURE_S
        for event in events:
            if seen.max_event_time < event.time <= limit:
                seen.max_event_time = event.time

    def _inspect(self, event: Event) -> None:
        stage = self.stage
        try:
            event_id = event.event_id
        except _PROFILE_FAULTS as error:
            self._fault(f"{self.source.kind}.event_id", error)
            event_id = event._id = str(event.locator)
        repeated = stage.repeated.seen(self.source.kind, event_id)
        self._count("events:repeated" if repeated else "events:accepted", 1)
        inspected = self.inspect(event)
        self.out.extend(finding_message(finding) for finding in inspected.findings)
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
