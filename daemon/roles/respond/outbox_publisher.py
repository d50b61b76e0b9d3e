"""Sends what transactions left in the outbox to Kafka, in order, and marks it once the brokers confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from connectors.kafka.producer import ConfirmedProducer, Message
from connectors.store import audit, outbox
from connectors.store.database import Database
from connectors.store.outbox import OutboxRow
from daemon.roles.respond.metrics import RespondMetrics
from playbooks.ports import Clock

IDLE_S: Final = 0.2
BATCH: Final = 500


@dataclass(slots=True)
class OutboxPublisher:
    """The one sender of `davylamp.incidents` and `davylamp.audit`.

    A crash between the brokers' word and the mark sends a message again: readers merge by id and version.
    """

    database: Database
    producer: ConfirmedProducer
    clock: Clock
    metrics: RespondMetrics

    async def work(self) -> float:
        """Send one batch; return the seconds to wait. Raises StoreAwayError; waits while brokers are away."""
        rows = await asyncio.to_thread(self._pending)
        if not rows:
            return IDLE_S
        await self.producer.send_all(
            [Message(row.topic, row.key.encode(), orjson.dumps(row.value)) for row in rows]
        )
        await asyncio.to_thread(self._mark, rows)
        for row in rows:
            self.metrics.outbox_sent.labels(row.topic).inc()
        return 0.0 if len(rows) == BATCH else IDLE_S

    def _pending(self) -> list[OutboxRow]:
        with self.database.transaction() as connection:
            audit.publish(connection, self.clock(), BATCH)
        with self.database.reading() as connection:
            self.metrics.outbox_pending.set(outbox.waiting(connection))
            return outbox.pending(connection, BATCH)

    def _mark(self, rows: Sequence[OutboxRow]) -> None:
        with self.database.transaction() as connection:
            outbox.mark_sent(connection, [row.seq for row in rows], self.clock())
            self.metrics.outbox_pending.set(outbox.waiting(connection))
