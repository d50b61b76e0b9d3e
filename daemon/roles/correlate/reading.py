"""One Faust agent: batches from the stream through the discipline; a failure ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import faust
import structlog
from faust.types import TP, EventT, StreamT

from daemon.roles.correlate.acknowledging import Discipline
from daemon.roles.correlate.error import MissingRecordsError
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.sequence import Gap
from daemon.roles.correlate.sequence import Sequence as OffsetSequence

EXIT_CODE: Final = 70
_BATCH_RECORDS: Final = 500
_WITHIN_S: Final = 0.05


class Reading:
    """Reads one internal topic. `exit_process` ends the process at once, without any clean-up."""

    def __init__(
        self,
        app: faust.App,
        topic: str,
        discipline: Discipline,
        metrics: Metrics,
        exit_process: Callable[[int], object],
    ) -> None:
        self._app = app
        self._topic = topic
        self._discipline = discipline
        self._metrics = metrics
        self._exit = exit_process
        self._busy = asyncio.Lock()
        self._sequence = OffsetSequence(self._committed)

    async def run(self, stream: StreamT[bytes]) -> None:
        """The agent. Never leaves a batch half done: it finishes it or ends the process."""
        async for events in stream.noack_take(_BATCH_RECORDS, within=_WITHIN_S):
            async with self._busy:
                await self._take(cast("list[EventT[bytes]]", events), stream)

    async def on_revoked(self) -> None:
        """Wait until the batch in hand is done, so that the next owner sees all of its states."""
        async with self._busy:
            self._discipline.evaluator.forget()

    async def _take(self, events: Sequence[EventT[bytes]], stream: StreamT[bytes]) -> None:
        mine = self._owned(events)
        self._metrics.skipped.inc(len(events) - len(mine))
        if not mine:
            return
        try:
            batch = [(_record(e), e) for e in mine]
            await self._check(batch)
            done = await self._discipline.take(batch, stream.ack)
        except Exception as error:
            await self._end(error)
        else:
            self._metrics.acknowledged.labels(self._topic).inc(len(mine))
            for finding in done.findings:
                self._metrics.findings.labels(finding.status).inc()

    def _owned(self, events: Sequence[EventT[bytes]]) -> list[EventT[bytes]]:
        """Return the events that were fetched since the last rebalance and whose partition is still ours.

        The others are read again by whoever owns their partition: nothing was acknowledged.
        """
        if self._app.rebalancing:
            return []
        assigned = self._app.consumer.assignment()
        generation = self._app.consumer_generation_id
        return [
            e for e in events if cast(Any, e.message).generation_id == generation and e.message.tp in assigned
        ]

    async def _check(self, batch: Sequence[tuple[Record, EventT[bytes]]]) -> None:
        """Raise MissingRecordsError when records are missing that the broker still has; report those it has not."""
        places = [(record.partition, record.offset) for record, _ in batch]
        for gap in self._sequence.follow(self._app.consumer_generation_id, places):
            tp = TP(self._topic, gap.partition)
            earliest = (await self._app.consumer.earliest_offsets(tp)).get(tp) or 0
            if earliest < gap.found:
                raise MissingRecordsError(
                    f"{self._topic}/{gap.partition}: {gap.expected} to {gap.found - 1} not delivered"
                )
            self._report_lost(gap)

    def _report_lost(self, gap: Gap) -> None:
        structlog.get_logger("davylamp.correlate").critical(
            "records deleted before they were read",
            topic=self._topic,
            partition=gap.partition,
            first_offset=gap.expected,
            last_offset=gap.found - 1,
        )
        self._metrics.lost.labels(self._topic, str(gap.partition)).inc(gap.found - gap.expected)

    def _committed(self, partition: int) -> int | None:
        return cast(Any, self._app.consumer)._committed_offset.get(TP(self._topic, partition))

    async def _end(self, error: Exception) -> None:
        self._metrics.errors.inc()
        log = structlog.get_logger("davylamp.correlate")
        log.error("batch failed, ending", topic=self._topic, error=type(error).__name__, exc_info=error)
        self._exit(EXIT_CODE)
        await asyncio.Event().wait()


def _record(event: EventT[bytes]) -> Record:
    message = event.message
    return Record(message.partition, message.offset, message.key, message.value, message.timestamp)
