"""The way of records into the broker: confirmed, in order, counted by partition."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from config.kafka import Kafka
from connectors.kafka.client import producer_options
from daemon.demo.daemon_config import RAW_PARTITIONS
from daemon.demo.error import StoryError
from daemon.demo.traffic.record import Record

_FLIGHT: Final = 4000


class Pipe:
    """A producer of raw topics. `sent` counts (topic, partition) -> records that the broker confirmed."""

    def __init__(self, kafka: Kafka) -> None:
        self._producer = AIOKafkaProducer(**producer_options(kafka), linger_ms=5)
        self.sent: Counter[tuple[str, int]] = Counter()

    async def start(self) -> None:
        """Connect. Raises StoryError when the broker is away."""
        try:
            await self._producer.start()
        except KafkaError as error:
            raise StoryError(f"the broker does not answer: {type(error).__name__}") from error

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._producer.stop()

    async def send(self, records: Sequence[Record]) -> None:
        """Send `records` in order and wait until every one is confirmed. Raises StoryError."""
        for begin in range(0, len(records), _FLIGHT):
            await self._send(records[begin : begin + _FLIGHT])

    async def _send(self, records: Sequence[Record]) -> None:
        try:
            waiting = [
                await self._producer.send(record.topic, record.value, partition=partition_of(record))
                for record in records
            ]
            for done in await asyncio.gather(*waiting):
                self.sent[done.topic, done.partition] += 1
        except KafkaError as error:
            raise StoryError(f"the broker refused a record: {type(error).__name__}") from error


def partition_of(record: Record) -> int:
    """Return the partition of a record: by its bytes, so that a play is the same each time."""
    return zlib.crc32(record.value) % RAW_PARTITIONS
