"""The heartbeat, once a second, to every partition of matches and flows: how far each source is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.encoding import encode_value
from connectors.kafka.producer import ConfirmedProducer, Message
from connectors.kafka.topics import FLOWS, MATCHES
from daemon.roles.detect.stage import DetectStage, Seen
from detectors.event import Fields, Json

PERIOD_S: Final = 1.0


@dataclass(slots=True)
class Heartbeat:
    """Writes the heartbeat of ``docs/architecture.md``, after the output that it speaks of was confirmed.

    One that cannot be written now is never written later: "idle" would be said at a time when it is not true.
    """

    worker: str
    kinds: Mapping[str, str]
    consumer: BatchConsumer
    stage: DetectStage
    producer: ConfirmedProducer

    async def run(self) -> None:
        """Beat until cancelled; brokers that are away only make it late."""
        log = structlog.get_logger("davylamp.detect")
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self._beat()
            except KafkaError as error:
                log.info("heartbeat late", error=type(error).__name__)

    def message(self, partition_counts: Mapping[str, int]) -> Fields:
        """Return the heartbeat of this moment."""
        partitions: dict[str, Json] = {}
        for tp, place in self.consumer.places.items():
            idle = self.consumer.caught_up(tp)
            seen = self.stage.seen.get(tp, Seen())
            answered = self.consumer.seen_at(tp) or 0.0
            partitions[f"{tp.topic}/{tp.partition}"] = {
                "kind": self.kinds[tp.topic],
                "through_offset": place.checkpoint.offset,
                "max_event_time": seen.max_event_time or None,
                "append_time": (max(seen.append_time, answered) if idle else seen.append_time) or None,
                "idle": idle,
            }
        return {
            "kind": "heartbeat",
            "worker": self.worker,
            "partition_counts": dict(partition_counts),
            "partitions": partitions,
        }

    async def _beat(self) -> None:
        counts = {topic: self.consumer.partition_count(topic) for topic in self.kinds}
        value = encode_value(self.message({topic: count for topic, count in counts.items() if count}))
        messages = [
            Message(topic, None, value, partition=partition)
            for topic in (MATCHES, FLOWS)
            for partition in range(await self.producer.partitions(topic))
        ]
        await self.producer.send_once(messages)
