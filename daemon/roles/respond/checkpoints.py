"""The place in `davylamp.findings` is kept in SQL, in the transaction that keeps what was read there.

Kafka's own committed offset only shows the lag to tools; on assignment the SQL offset wins.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from connectors.kafka.checkpoint import Checkpoint
from connectors.store.database import Database
from connectors.store.ingest import next_offsets, set_offsets
from daemon.roles.respond.patience import patiently
from daemon.runtime import Health


class SqlCheckpoints:
    """Implements `connectors.kafka.checkpoint.CheckpointStore`; a database that is away is waited for."""

    def __init__(self, database: Database, health: Health) -> None:
        self._database = database
        self._health = health
        self._written: dict[TopicPartition, int] = {}

    async def load(
        self, committed: Mapping[TopicPartition, OffsetAndMetadata | None]
    ) -> dict[TopicPartition, Checkpoint | None]:
        """Return the SQL offset of each partition, None where nothing was ever read."""
        known = await patiently(lambda: next_offsets(self._database), self._health)
        out: dict[TopicPartition, Checkpoint | None] = {}
        for tp in committed:
            offset = known.get((tp.topic, tp.partition))
            out[tp] = None if offset is None else Checkpoint(offset)
        self._written = {tp: held.offset for tp, held in out.items() if held is not None}
        return out

    def ingested(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note the offsets that a transaction has just written."""
        self._written.update(offsets)

    async def save(self, checkpoints: Mapping[TopicPartition, Checkpoint]) -> None:
        """Write the places that no transaction has written yet (the first one, one after a loss)."""
        fresh = {tp: c.offset for tp, c in checkpoints.items() if self._written.get(tp) != c.offset}
        if fresh:
            rows = {(tp.topic, tp.partition): offset for tp, offset in fresh.items()}
            await patiently(lambda: set_offsets(self._database, rows), self._health)
            self._written.update(fresh)

    def metadata(self, checkpoint: Checkpoint) -> str:
        """Return nothing: no counters ride in Kafka's commit."""
        return ""
