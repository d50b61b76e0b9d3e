"""Whole batches from Kafka, committed after their output is confirmed.

Why not a Faust agent or a stock loop: ``docs/architecture.md`` and its measurements. The rules here:

* every partition starts at its checkpoint, with an initial commit, so that a batch that was fetched
  before a rebalance is read again by whoever owns the partition afterwards;
* a batch is committed only in the epoch (assignment) that it was fetched in;
* a place outside the log is a reported loss, reading goes on from the earliest record.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.accounting import account
from connectors.kafka.assignment import loss_in_gap
from connectors.kafka.batch import Lane, PartitionBatch, Record
from connectors.kafka.checkpoint import Checkpoint, CheckpointStore
from connectors.kafka.client import consumer_options
from connectors.kafka.closing import close_consumer
from connectors.kafka.conservation import Counters, add
from connectors.kafka.ledger import Ledger
from connectors.kafka.probe import reason_of
from connectors.kafka.producer import Report
from connectors.kafka.reading import Place, Reading
from connectors.kafka.resuming import look, resume
from connectors.kafka.topic_id import topic_ids
from connectors.kafka.watching import check_group, fetch_position, hidden_topics

_POLL_MS = 250
_STALE_S = 4.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_CLOSE_S = 1.5
_VERIFY_S = 1.0


@dataclass(slots=True, kw_only=True)
class BatchConsumer(Reading):
    """Reads the lanes' topics as one member of `group` until `stop` is set.

    `reread(offset)` gives the offset to start from for a committed one (a block's start).
    `report(up, detail)` hears of brokers that are away; `clock` is wall time in seconds.
    """

    kafka: Kafka
    group: str
    lanes: tuple[Lane, ...]
    store: CheckpointStore
    report: Report
    stop: asyncio.Event
    clock: Callable[[], float]
    assigned: Callable[[], None] = lambda: None
    reread: Callable[[int], int] = lambda offset: offset
    stop_timeout_s: float = 4.0
    _ready_epoch: int = -1
    _owned: frozenset[TopicPartition] = frozenset()
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ledger: Ledger = field(init=False)
    _busy: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])
    _verified: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        """Make the ledger."""
        self._ledger = Ledger(self.group, self.store, self.report, _STALE_S)

    async def run(self) -> None:
        """Consume until `stop` is set; a broker that is away is waited for. Raises what a handler raises."""
        log = structlog.get_logger("davylamp.kafka.consumer").bind(group=self.group)
        pause = _FIRST_PAUSE_S
        while not self.stop.is_set():
            try:
                await self._session()
                pause = _FIRST_PAUSE_S
            except (KafkaError, OSError) as error:
                reason = await reason_of(error, self.kafka)
                self.report(False, f"{reason}: reading starts again")
                log.warning("reading starts again", error=reason, pause_s=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _session(self) -> None:
        """One life of an aiokafka consumer: start, assign, read; always closed."""
        consumer = AIOKafkaConsumer(**consumer_options(self.kafka, self.group))
        try:
            await self._unless_stopped(consumer.start())
            if self.stop.is_set():
                return
            self._consumer = consumer
            self._busy = {lane.name: asyncio.Lock() for lane in self.lanes}
            consumer.subscribe(self._topics(), listener=_Listener(self))
            await self._work(consumer)
        finally:
            self._consumer = None
            self._void()
            await close_consumer(consumer, _CLOSE_S)

    async def _work(self, consumer: AIOKafkaConsumer) -> None:
        """Run the lanes until one fails or `stop` is set; then let running batches finish."""
        tasks = [asyncio.create_task(self._lane(lane, consumer), name=lane.name) for lane in self.lanes]
        tasks.append(asyncio.create_task(self._preparing(consumer), name="prepare"))
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            if self.stop.is_set():
                await self._settled(self.stop_timeout_s)
        finally:
            stopping.cancel()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _unless_stopped(self, awaitable: object) -> None:
        task = asyncio.ensure_future(awaitable)  # type: ignore[arg-type]
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def _void(self) -> None:
        """Forget the assignment: nothing that was fetched under it may be committed.

        `places` stay until the next one, so that the counters can be shown while the brokers are away.
        """
        self._ledger.epoch += 1
        self._owned = frozenset()

    def begin_assignment(self, owned: Sequence[TopicPartition]) -> None:
        """Note a new assignment; the lanes wait until its checkpoints are loaded."""
        self._void()
        self._owned = frozenset(owned)
        self._changed.set()

    async def settle_before_revoke(self) -> None:
        """Give running batches the time to be confirmed and committed while the partition is still ours."""
        await self._settled(min(self.kafka.rebalance_timeout_s, self.kafka.session_timeout_s) / 2)

    async def _settled(self, timeout_s: float) -> None:
        """Wait until no batch is being handled, at most `timeout_s`. Keeps new ones from starting."""
        self._ready_epoch = -1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for lock in self._busy.values():
                    async with lock:
                        pass

    async def _preparing(self, consumer: AIOKafkaConsumer) -> None:
        """Load checkpoints after each assignment, again and again if the broker goes away meanwhile."""
        while True:
            while not self._changed.is_set():
                check_group(consumer)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _POLL_MS / 1000)
            self._changed.clear()
            epoch = self._ledger.epoch
            if await self._prepare(consumer, epoch):
                self._ready_epoch = epoch
                self._report_reading(consumer)
                self.assigned()

    def _topics(self) -> list[str]:
        return sorted({topic for lane in self.lanes for topic in lane.topics})

    def _report_reading(self, consumer: AIOKafkaConsumer) -> None:
        """Say that we read, unless some of our topics are hidden from us: that is a source gone blind."""
        hidden = hidden_topics(consumer, self._topics())
        self.report(not hidden, hidden)

    async def _prepare(self, consumer: AIOKafkaConsumer, epoch: int) -> bool:
        """Find the places of this assignment and seek there; False when it is over already."""
        found = await look(self.kafka, consumer, self._ledger, sorted(self._owned), self._topics())
        if epoch != self._ledger.epoch:
            return False
        places, stale = await resume(found, self.lanes, self.reread, self.store.metadata)
        if not await self._write(consumer, epoch, stale):
            return False
        self.places = places
        self._verified = dict.fromkeys((lane.name for lane in self.lanes), 0.0)
        for lane in self.lanes:
            async with self._busy[lane.name]:
                if epoch != self._ledger.epoch:
                    return False
                mine = {tp: place.position for tp, place in places.items() if tp.topic in lane.topics}
                lane.handler.assigned(mine)
        for tp, place in places.items():
            consumer.seek(tp, place.position)
        return True

    async def _write(
        self, consumer: AIOKafkaConsumer, epoch: int, checkpoints: Mapping[TopicPartition, Checkpoint]
    ) -> bool:
        """Save and commit, unless the assignment changed; return whether it was done.

        A refused commit stops the lanes until the next assignment. A file that another worker wrote
        since is read again at once: the broker may not know yet that the partition moved on.
        """
        outcome = await self._ledger.write(consumer, epoch, checkpoints)
        if outcome == "stale":
            self._look_again(epoch)
        elif outcome != "written" and epoch == self._ledger.epoch:
            self._ready_epoch = -1
        return outcome == "written"

    async def _lane(self, lane: Lane, consumer: AIOKafkaConsumer) -> None:
        lock = self._busy[lane.name]
        while True:
            epoch = self._ledger.epoch
            mine = [tp for tp in self.places if tp.topic in lane.topics]
            if self._ready_epoch != epoch or not mine:
                await asyncio.sleep(0.02)
                continue
            polled = await consumer.getmany(*mine, timeout_ms=_POLL_MS, max_records=lane.max_records)
            after = {tp: _after(consumer, tp, records[-1].offset + 1) for tp, records in polled.items()}
            if not polled:
                self._check_answering(consumer, mine)
            async with lock:
                if self._ready_epoch != epoch or epoch != self._ledger.epoch:
                    self._give_back(consumer, polled)
                elif not await self._same_logs(lane, consumer, mine):
                    self._look_again(epoch)
                elif polled:
                    await self._batch(lane, consumer, epoch, polled, after)
                else:
                    await self._pass_holes(consumer, epoch, mine)

    async def _same_logs(
        self, lane: Lane, consumer: AIOKafkaConsumer, mine: Sequence[TopicPartition]
    ) -> bool:
        """Ask at most once a second whether the topics are still those that we began to read.

        Offsets alone do not tell a log from one that was made anew and is as long.
        """
        now = time.monotonic()
        if now < self._verified.get(lane.name, 0.0) + _VERIFY_S:
            return True
        ids = await topic_ids(consumer, mine)
        self._verified[lane.name] = now
        known = ((tp, self.places[tp].checkpoint.logs.get(tp.topic)) for tp in mine)
        return all(log is None or ids.get(tp.topic, log.topic_id) == log.topic_id for tp, log in known)

    def _look_again(self, epoch: int) -> None:
        """Stop reading and find all places anew, in the same assignment."""
        if epoch == self._ledger.epoch:
            self._ready_epoch = -1
            self._changed.set()

    async def _batch(
        self,
        lane: Lane,
        consumer: AIOKafkaConsumer,
        epoch: int,
        polled: Mapping[TopicPartition, Sequence[Record]],
        after: Mapping[TopicPartition, int],
    ) -> None:
        """Handle records and commit behind them; `after` is where the next ones begin."""
        batches: list[PartitionBatch] = []
        for tp, records in polled.items():
            place = self.places[tp]
            first = records[0].offset
            if first != place.position and not await self._gap(consumer, epoch, tp, first, place):
                return
            batches.append(PartitionBatch(tp, records, place.checkpoint.offset))
        before = {batch.tp: self.places[batch.tp].checkpoint for batch in batches}
        deltas = await lane.handler.handle(batches)
        fresh: dict[TopicPartition, Checkpoint] = {}
        for batch in batches:
            counters: Counters = dict(before[batch.tp].counters)
            add(counters, deltas.get(batch.tp, {}))
            fresh[batch.tp] = Checkpoint(
                max(batch.committed, after[batch.tp]), counters, before[batch.tp].logs
            )
        await self._move_on(consumer, epoch, fresh, after)

    async def _pass_holes(
        self, consumer: AIOKafkaConsumer, epoch: int, mine: Sequence[TopicPartition]
    ) -> None:
        """Move on over what gives no records: markers and aborted records of transactions, compaction.

        Otherwise a partition that ends with a marker would never be caught up.
        """
        fresh: dict[TopicPartition, Checkpoint] = {}
        after: dict[TopicPartition, int] = {}
        for tp in mine:
            place = self.places[tp]
            position = _after(consumer, tp, place.position)
            if position == place.position:
                continue
            if not await self._gap(consumer, epoch, tp, position, place):
                return
            known = place.checkpoint
            fresh[tp] = Checkpoint(max(known.offset, position), known.counters, known.logs)
            after[tp] = position
        if fresh:
            await self._move_on(consumer, epoch, fresh, after)

    async def _move_on(
        self,
        consumer: AIOKafkaConsumer,
        epoch: int,
        fresh: Mapping[TopicPartition, Checkpoint],
        after: Mapping[TopicPartition, int],
    ) -> None:
        """Write the checkpoints; if that was done in our epoch, stand at the offsets `after`."""
        if await self._write(consumer, epoch, fresh) and epoch == self._ledger.epoch:
            for tp, checkpoint in fresh.items():
                self.places[tp] = Place(checkpoint, after[tp])

    async def _gap(
        self, consumer: AIOKafkaConsumer, epoch: int, tp: TopicPartition, first: int, place: Place
    ) -> bool:
        """Judge a log that goes on at `first`, not where we stood; return whether that may be handled.

        Holes of compaction and transactions are no loss: only a log that begins after our place is.
        """
        start = (await consumer.beginning_offsets([tp]))[tp]
        loss = loss_in_gap(tp, place.checkpoint.offset, place.position, first, start)
        if loss is None:
            return True
        place.checkpoint = await account(self.lanes, loss, place.checkpoint)
        return await self._write(consumer, epoch, {tp: place.checkpoint})

    def _give_back(self, consumer: AIOKafkaConsumer, polled: Mapping[TopicPartition, object]) -> None:
        """Un-read what was fetched under an assignment that is gone, where the new one has begun already."""
        for tp in polled:
            place = self.places.get(tp)
            if place is not None and tp in consumer.assignment():
                consumer.seek(tp, place.position)

    def _check_answering(self, consumer: AIOKafkaConsumer, mine: Sequence[TopicPartition]) -> None:
        """Report brokers that have not answered a fetch for some seconds, and that they answer again."""
        seen = [at for at in (self.seen_at(tp) for tp in mine) if at is not None]
        if not seen:
            return
        silent_s = self.clock() - min(seen)
        if silent_s > _STALE_S:
            self.report(False, "brokers do not answer")
        else:
            self._report_reading(consumer)


def _after(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> int:
    """Return where reading goes on after `offset`: behind it, if aiokafka has passed a hole already.

    Asked right after a poll, before anything is awaited: later, aiokafka may have left for the start of a
    log that retention cut, which is a loss and no hole.
    """
    return max(offset, fetch_position(consumer, tp) or 0)


class _Listener(ConsumerRebalanceListener):
    """Tells the consumer of its assignments; the work is done outside aiokafka's own task."""

    def __init__(self, owner: BatchConsumer) -> None:
        self._owner = owner

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, revoked: object
    ) -> None:
        """Let running batches be committed first."""
        await self._owner.settle_before_revoke()

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Note the new assignment."""
        self._owner.begin_assignment(list(assigned))
