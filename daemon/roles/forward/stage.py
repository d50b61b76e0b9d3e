"""The path of a batch to one target: documents, delivery, dead letters for what the target refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.structs import TopicPartition

from connectors.ecs.stream import Document
from connectors.kafka.batch import Loss, PartitionBatch, Record
from connectors.kafka.conservation import Counters
from connectors.kafka.dead_letter import dead_letter
from connectors.kafka.producer import Message
from daemon.roles.forward.canaries import Arrivals
from daemon.roles.forward.delivery import Delivery
from daemon.roles.forward.item import Item, Reader, origin
from detectors.canary.sight import Sight

REFUSED: Final = "refused_by_target"
_CHUNK_DOCUMENTS: Final = 1000
_CHUNK_BYTES: Final = 8 * 1024 * 1024
_BREATH_ITEMS: Final = 100


@dataclass(slots=True)
class _Pending:
    tp: TopicPartition
    record: Record
    item: Item
    document: Document


@dataclass(slots=True)
class ForwardStage:
    """The handler of one lane of one target. `in_flight` counts by partition what has not ended."""

    delivery: Delivery
    readers: Mapping[str, Reader]
    send: Callable[[Sequence[Message]], Awaitable[None]]
    arrivals: Arrivals | None = None
    in_flight: dict[TopicPartition, int] = field(default_factory=dict[TopicPartition, int])

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        """Forget what was in flight: it is read again."""
        self.in_flight = {}

    async def lost(self, loss: Loss) -> None:
        """A loss is counted and shown; the finding about the source is detect's: forward may write none."""

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        """Deliver in chunks; returns the counts when every item has ended."""
        counts: dict[TopicPartition, Counters] = {batch.tp: {} for batch in batches}
        waiting: list[_Pending] = []
        letters: list[Message] = []
        size = since_breath = 0
        for batch in batches:
            for record in batch.records:
                _count(counts[batch.tp], "records:read")
                for item in self.readers[batch.tp.topic].items(record):
                    since_breath += 1
                    if item.document is None:
                        self._ended(counts[batch.tp], batch.tp, record, item, letters)
                        continue
                    waiting.append(_Pending(batch.tp, record, item, item.document))
                    self.in_flight[batch.tp] = self.in_flight.get(batch.tp, 0) + 1
                    size += item.document.size
                    if len(waiting) >= _CHUNK_DOCUMENTS or size >= _CHUNK_BYTES:
                        await self._deliver(waiting, counts, letters)
                        size = 0
                if since_breath >= _BREATH_ITEMS:
                    since_breath = 0
                    await asyncio.sleep(0)
        await self._deliver(waiting, counts, letters)
        if letters:
            await self.send(letters)
        self.in_flight = {}
        return counts

    def _ended(
        self, counts: Counters, tp: TopicPartition, record: Record, item: Item, letters: list[Message]
    ) -> None:
        """Count an item that never was a document."""
        _count(counts, f"items:{item.ending}")
        if item.ending != "unreadable":
            _count(counts, "items:read")
        if item.ending == "rejected":
            letters.append(self._letter(tp, record, item, item.reason, 1, item.detail))

    async def _deliver(
        self, waiting: list[_Pending], counts: Mapping[TopicPartition, Counters], letters: list[Message]
    ) -> None:
        if not waiting:
            return
        endings = await self.delivery.deliver([pending.document for pending in waiting])
        for pending, (outcome, attempts) in zip(waiting, endings, strict=True):
            _count(counts[pending.tp], "items:read")
            _count(counts[pending.tp], f"items:{outcome.ending}")
            if pending.item.canary is not None and outcome.ending != "rejected":
                self._arrived(pending, pending.item.canary, fresh=outcome.ending == "delivered")
            if outcome.ending == "rejected":
                letters.append(
                    self._letter(pending.tp, pending.record, pending.item, REFUSED, attempts, outcome.reason)
                )
        waiting.clear()

    def _arrived(self, pending: _Pending, sight: Sight, *, fresh: bool) -> None:
        if self.arrivals is not None:
            self.arrivals.acknowledged(self.delivery.target, sight, pending.document, fresh=fresh)

    def _letter(
        self, tp: TopicPartition, record: Record, item: Item, reason: str, attempts: int, detail: str
    ) -> Message:
        return dead_letter(
            record.value,
            reason=reason,
            role="forward",
            target=self.delivery.target.name,
            source=self.readers[tp.topic].source,
            origin=origin(tp, record.offset, item.index),
            attempts=attempts,
            detail=detail,
        )


def _count(counts: Counters, name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
