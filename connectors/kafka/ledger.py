"""The one place where checkpoints are written: file, then commit, only in the epoch that they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from connectors.kafka.checkpoint import Checkpoint, CheckpointStore
from connectors.kafka.error import CheckpointLostError
from connectors.kafka.producer import Report


@dataclass(slots=True)
class Ledger:
    """Writes of one consumer. `epoch` counts assignments; a write of an earlier one is refused.

    `report(up, detail)` hears of a commit that takes over `slow_s` seconds.
    """

    group: str
    store: CheckpointStore
    report: Report
    slow_s: float
    epoch: int = 0
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> dict[TopicPartition, Checkpoint | None]:
        """Return the checkpoints, after any write that is under way. Raises CheckpointUnreadableError."""
        async with self._writing:
            return await self.store.load(committed)

    async def write(
        self, consumer: AIOKafkaConsumer, epoch: int, checkpoints: Mapping[TopicPartition, Checkpoint]
    ) -> Literal["written", "moved", "stale"]:
        """Save and commit. "moved": the assignment changed; "stale": another worker wrote since.

        Raises OSError when the file cannot be written, aiokafka.errors.KafkaError.
        """
        async with self._writing:
            if epoch != self.epoch:
                return "moved"
            if not checkpoints:
                return "written"
            try:
                await self.store.save(checkpoints)
                await self._commit(consumer, checkpoints)
            except (CommitFailedError, IllegalStateError, CheckpointLostError) as error:
                log = structlog.get_logger("davylamp.kafka.consumer")
                log.info("partition moved on before its commit", group=self.group, error=type(error).__name__)
                return "stale" if isinstance(error, CheckpointLostError) else "moved"
        return "written"

    async def _commit(
        self, consumer: AIOKafkaConsumer, checkpoints: Mapping[TopicPartition, Checkpoint]
    ) -> None:
        """Commit; aiokafka retries for ever while the brokers are away, so that is reported meanwhile."""
        offsets = {tp: OffsetAndMetadata(c.offset, self.store.metadata(c)) for tp, c in checkpoints.items()}
        task = asyncio.ensure_future(consumer.commit(offsets))
        try:
            while not (await asyncio.wait([task], timeout=self.slow_s))[0]:
                self.report(False, "brokers do not confirm the commit")
            task.result()
        finally:
            task.cancel()
