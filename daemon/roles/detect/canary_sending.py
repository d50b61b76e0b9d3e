"""Sends the canaries of the partitions that this worker reads, and finds those that do not come back.

The schedule gives each raw topic one slot a period, and each slot one partition. Only the worker that owns
the partition sends, so the consumer group is what keeps two workers from sending the same one; if they do
all the same (a rebalance at that second), the second is refused as used. Only a slot that this worker sent
is judged: one during which the partition moved is left to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.structs import TopicPartition

from connectors.kafka.producer import ConfirmedProducer, Message
from connectors.kafka.reading import Reading
from connectors.sources.canary_record import canary_record
from daemon.roles.detect.canary_gate import CanaryGate
from daemon.roles.detect.canary_metrics import CanaryMetrics
from daemon.roles.detect.outputs import finding_message
from detectors.canary.finding import lost
from detectors.canary.proof import DUE, HEADER, Slot, prove
from detectors.canary.schedule import due_at, partition_of

LOOK_S: Final = 0.25
_UNCONFIRMED: Final = "could not be written: the brokers did not confirm it in time"


@dataclass(slots=True)
class _Sent:
    """A canary under way; `offset` is None until it is confirmed, `failed` when it was not in time."""

    slot: Slot
    offset: int | None = None
    failed: bool = False

    @property
    def tp(self) -> TopicPartition:
        return TopicPartition(self.slot.topic, self.slot.partition)


@dataclass(slots=True)
class CanarySender:
    """`kinds` is topic -> source; `read_keys` returns the key and the one before; times are seconds (UTC)."""

    kinds: Mapping[str, str]
    period_s: int
    grace_s: float
    consumer: Reading
    producer: ConfirmedProducer
    gate: CanaryGate
    clock: Callable[[], float]
    metrics: CanaryMetrics
    read_keys: Callable[[], tuple[bytes, ...]]
    _since: dict[TopicPartition, float] = field(default_factory=dict[TopicPartition, float])
    _last: dict[str, int] = field(default_factory=dict[str, int])
    _under_way: list[_Sent] = field(default_factory=list[_Sent])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        """Look four times a second, until cancelled; what goes wrong with one look is logged."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    await self.look()
                except Exception as error:
                    structlog.get_logger("davylamp.detect").exception("canaries", error=type(error).__name__)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self) -> None:
        """Send what is due, and judge what was sent."""
        self.gate.keys = self.read_keys()
        self._note_owned()
        for topic in self.kinds:
            self._look(topic)
        await self._judge()

    def _note_owned(self) -> None:
        now = self.clock()
        owned = [tp for tp in self.consumer.places if self.consumer.seen_at(tp) is not None]
        self._since = {tp: self._since.get(tp, now) for tp in owned}

    def _look(self, topic: str) -> None:
        """Send the canary of the topic's slot if it is ours, not sent yet, and not too late."""
        now = self.clock()
        due = due_at(now, self.period_s)
        partitions = self.consumer.partition_count(topic)
        if not partitions or self._last.get(topic) == due or now - due > self._window_s:
            return
        slot = Slot(self.kinds[topic], topic, partition_of(due, self.period_s, partitions), due)
        if not self._may_send(TopicPartition(topic, slot.partition), due):
            return
        self._last[topic] = due
        sent = _Sent(slot)
        self._under_way.append(sent)
        task = asyncio.create_task(self._send(sent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def _window_s(self) -> float:
        """How long after its slot a canary may still be sent."""
        return min(self.grace_s, self.period_s) / 2

    def _may_send(self, tp: TopicPartition, due: int) -> bool:
        """Whether the partition is ours and nobody has sent this slot: ours before it, or read to its end."""
        since = self._since.get(tp)
        if since is None:
            return False
        newest = self.consumer.places[tp].checkpoint.counters.get(DUE, 0)
        return newest < due and (since <= due or self.consumer.caught_up(tp))

    async def _send(self, sent: _Sent) -> None:
        slot = sent.slot
        value = canary_record(slot)
        proof = prove(self.gate.keys[0], slot, value)
        message = Message(slot.topic, None, value, ((HEADER, proof),), slot.partition)
        try:
            sent.offset = await self.producer.send_placed(message, self._window_s)
        finally:
            sent.failed = sent.offset is None
            self.metrics.sent(slot.source, confirmed=not sent.failed)

    async def _judge(self) -> None:
        """Let go of canaries that came back or whose partition moved; report those that are lost."""
        waiting: list[_Sent] = []
        for sent in self._under_way:
            since = self._since.get(sent.tp)
            if since is None or since > sent.slot.due + self._window_s:
                continue
            why = self._ended(sent)
            if why is None:
                waiting.append(sent)
            elif why:
                await self._report(sent.slot, why)
        self._under_way = waiting

    def _ended(self, sent: _Sent) -> str | None:
        """Return "" when the canary was accepted, why it is lost, or None while that is not known."""
        checkpoint = self.consumer.places[sent.tp].checkpoint
        if checkpoint.counters.get(DUE, 0) >= sent.slot.due:
            return ""
        if sent.offset is not None and checkpoint.offset > sent.offset:
            offset, refusal = self.gate.refused.get(sent.tp, (-1, ""))
            return "was read and " + (
                f"refused: {refusal}" if offset == sent.offset else "is not in the log where it was confirmed"
            )
        answered = self.consumer.seen_at(sent.tp) or 0.0
        if sent.failed and answered > sent.slot.due + self.grace_s and self.consumer.caught_up(sent.tp):
            return _UNCONFIRMED
        return None

    async def _report(self, slot: Slot, why: str) -> None:
        log = structlog.get_logger("davylamp.detect")
        log.warning("canary lost", topic=slot.topic, partition=slot.partition, due=slot.due, why=why)
        self.metrics.lost(slot.source)
        await self.producer.send_all([finding_message(lost(slot, why))])
