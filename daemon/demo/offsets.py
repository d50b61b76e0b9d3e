"""How far the roles have read: their own checkpoints against the ends of the topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.settings import Settings
from connectors.kafka.checkpoint_file import store_for
from connectors.kafka.client import admin_options, connection_options
from connectors.kafka.committed import committed_offsets
from connectors.kafka.topics import FINDINGS
from connectors.store.database import Database
from daemon.demo.watching import next_offsets

DETECT_GROUP: Final = "davylamp-detect"
_POLL_S: Final = 0.1


async def read_by(settings: Settings, group: str, wanted: Mapping[tuple[str, int], int]) -> int:
    """Return how many records below the `wanted` end offsets (by topic, partition) a group has read."""
    partitions = [TopicPartition(*place) for place in wanted]
    committed: dict[TopicPartition, OffsetAndMetadata | None] = dict.fromkeys(partitions)
    if settings.kafka.counters == "commit_metadata":
        committed = await committed_offsets(admin_options(settings.kafka), group, partitions)
    held = await store_for(settings, group).load(committed)
    reached = {tp: checkpoint.offset if checkpoint else 0 for tp, checkpoint in held.items()}
    return sum(min(end, reached[TopicPartition(*place)]) for place, end in wanted.items())


async def respond_is_at_end(settings: Settings, database: Database) -> bool:
    """Return whether respond has taken in every finding that stands in the topic."""
    ends = await end_offsets(settings, FINDINGS)
    seen = await asyncio.to_thread(next_offsets, database, FINDINGS)
    return all(seen.get(partition, 0) >= end for partition, end in ends.items())


async def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Return partition -> end offset of a topic."""
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka), enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer.topics()
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        ends = await consumer.end_offsets(partitions)
        return {tp.partition: end for tp, end in ends.items()}
    finally:
        await consumer.stop()


async def until(happened: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    """Wait until `happened()`; return False when `timeout_s` passes first."""
    give_up = time.monotonic() + timeout_s
    while not await happened():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(_POLL_S)
    return True
