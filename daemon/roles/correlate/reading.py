"""One Faust agent: batches from the stream through the discipline; a failure ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

import faust
import structlog
from aiokafka.structs import TopicPartition
from faust.types import TP, EventT, StreamT

from daemon.roles.correlate.acknowledging import Discipline
from daemon.roles.correlate.error import MissingRecordsError
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.sequence import Sequence as OffsetSequence

EXIT_CODE: Final = 70
_BATCH_RECORDS: Final = 500
_WITHIN_S: Final = 0.05


class Reading:
    """Reads one internal topic. `exit_process` ends the process at once, without any clean-up.

    `prepare` is awaited with each batch before it is evaluated.
    """

    def __init__(
        self,
        app: faust.App,
        topic: str,
        discipline: Discipline,
        metrics: Metrics,
        exit_process: Callable[[int], object],
        prepare: Callable[[Sequence[Record]], Awaitable[object]] | None = None,
    ) -> None:
        self._prepare = prepare
        self._app = app
        self._topic = topic
        self._discipline = discipline
        self._metrics = metrics
        self._exit = exit_process
        self._busy = asyncio.Lock()
        self._sequence = OffsetSequence()
        self._ended: int | None = None

    async def run(self, stream: StreamT[bytes]) -> None:
        """The agent. Never leaves a batch half done: it finishes it or ends the process."""
        async for events in cast(Any, stream).noack_take(_BATCH_RECORDS, within=_WITHIN_S):
            async with self._busy:
                await self._take(cast("list[EventT[bytes]]", events), stream)

    async def on_revoked(self) -> None:
        """Wait until the batch in hand is done, so that the next owner sees all of its states.

        What is still queued of this generation is left to the next owner.
        """
        async with self._busy:
            self._ended = self._app.consumer_generation_id
            self._discipline.evaluator.forget()

    async def _take(self, events: Sequence[EventT[bytes]], stream: StreamT[bytes]) -> None:
        mine = self._owned(events)
        self._metrics.skipped.inc(len(events) - len(mine))
        again = self._again(mine)
        batch = [(_record(e), e) for e, known in zip(mine, again, strict=True) if not known]
        if batch:
            await self._evaluate(batch, stream)
        for event, known in zip(mine, again, strict=True):
            if known:  # only now: it may be that what came twice stands in this very batch
                await cast(Any, stream.ack(event))

    async def _evaluate(self, batch: Sequence[tuple[Record, EventT[bytes]]], stream: StreamT[bytes]) -> None:
        try:
            await self._check(batch)
            if self._prepare is not None:
                await self._prepare([record for record, _ in batch])
            done = await self._discipline.take(batch, stream.ack)
        except Exception as error:
            await self._end(error)
        else:
            self._metrics.acknowledged.labels(self._topic).inc(len(batch))
            for finding in done.findings:
                self._metrics.findings.labels(finding.status).inc()

    def _owned(self, events: Sequence[EventT[bytes]]) -> list[EventT[bytes]]:
        """Return the events that were fetched since the last rebalance and whose partition is still ours.

        The others are read again by whoever owns their partition: nothing was acknowledged.
        """
        generation = self._app.consumer_generation_id
        if generation == self._ended:
            return []
        assigned = self._app.consumer.assignment()
        return [
            e for e in events if cast(Any, e.message).generation_id == generation and e.message.tp in assigned
        ]

    def _again(self, events: Sequence[EventT[bytes]]) -> list[bool]:
        """Return which events were taken already in this generation.

        When its tables are recovered, Faust goes back to what is committed; its queues are kept
        (`application.py`), so that what was read in between comes twice.
        """
        places = [(e.message.partition, e.message.offset) for e in events]
        again = [not new for new in self._sequence.new(self._app.consumer_generation_id, places)]
        self._metrics.read_again.inc(again.count(True))
        return again

    async def _check(self, batch: Sequence[tuple[Record, EventT[bytes]]]) -> None:
        """Raise MissingRecordsError for missing records that the broker still has; report the others."""
        places = [(record.partition, record.offset) for record, _ in batch]
        for gap in self._sequence.follow(self._app.consumer_generation_id, places):
            expected = max(gap.expected, await self._committed(gap.partition)) if gap.first else gap.expected
            if expected >= gap.found:
                continue
            tp = TP(self._topic, gap.partition)
            earliest = (await self._app.consumer.earliest_offsets(tp)).get(tp) or 0
            if earliest < gap.found:
                raise MissingRecordsError(
                    f"{self._topic}/{gap.partition}: {expected} to {gap.found - 1} not delivered"
                )
            self._report_lost(gap.partition, expected, gap.found)

    def _report_lost(self, partition: int, first: int, end: int) -> None:
        structlog.get_logger("davylamp.correlate").critical(
            "records deleted before they were read",
            topic=self._topic,
            partition=partition,
            first_offset=first,
            last_offset=end - 1,
        )
        self._metrics.lost.labels(self._topic, str(partition)).inc(end - first)

    async def _committed(self, partition: int) -> int:
        """Return the committed offset, of aiokafka: Faust learns it after its first records have come."""
        thread = cast(Any, self._app.consumer)._thread
        place = TopicPartition(self._topic, partition)
        return await thread.call_thread(thread._ensure_consumer().committed, place) or 0

    async def _end(self, error: Exception) -> None:
        self._metrics.errors.inc()
        log = structlog.get_logger("davylamp.correlate")
        log.error("batch failed, ending", topic=self._topic, error=type(error).__name__, exc_info=error)
        self._exit(EXIT_CODE)
        await asyncio.Event().wait()


def _record(event: EventT[bytes]) -> Record:
    message = event.message
    return Record(message.partition, message.offset, message.key, message.value, message.timestamp)
