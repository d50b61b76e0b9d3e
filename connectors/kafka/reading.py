"""Where a consumer stands, for readiness, status and heartbeats."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from connectors.kafka.checkpoint import Checkpoint


@dataclass(slots=True)
class Place:
    """Where one owned partition stands: the checkpoint, and the next offset to fetch."""

    checkpoint: Checkpoint
    position: int


@dataclass(slots=True, kw_only=True)
class Reading:
    """The places of the owned partitions, and what the running aiokafka consumer (if any) knows of them."""

    places: dict[TopicPartition, Place] = field(default_factory=dict[TopicPartition, Place])
    _consumer: AIOKafkaConsumer | None = None

    def caught_up(self, tp: TopicPartition) -> bool:
        """Return whether everything that the broker has shown of `tp` is read and committed."""
        highwater = self._highwater(tp)
        place = self.places.get(tp)
        return highwater is not None and place is not None and place.checkpoint.offset >= highwater

    def seen_at(self, tp: TopicPartition) -> float | None:
        """Return when the broker last answered a fetch of `tp` (seconds, UTC), or None."""
        consumer = self._consumer
        if consumer is None or tp not in consumer.assignment():
            return None
        stamp = consumer.last_poll_timestamp(tp)
        return stamp / 1000 if stamp else None

    def lag(self, tp: TopicPartition) -> int:
        """Return how many records of `tp` are not committed yet, as far as the broker has shown."""
        place = self.places.get(tp)
        return max(0, (self._highwater(tp) or 0) - place.checkpoint.offset) if place else 0

    def partition_count(self, topic: str) -> int:
        """Return how many partitions `topic` has, 0 when the broker has not said."""
        consumer = self._consumer
        return len(consumer.partitions_for_topic(topic) or ()) if consumer is not None else 0

    def _highwater(self, tp: TopicPartition) -> int | None:
        consumer = self._consumer
        return consumer.highwater(tp) if consumer is not None and tp in consumer.assignment() else None
