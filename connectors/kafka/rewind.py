"""Set consumer groups back to the first offset: reading everything again must change nothing."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.settings import Settings
from connectors.kafka.checkpoint_file import CheckpointFile
from connectors.kafka.client import consumer_options


async def rewind(settings: Settings, groups: Sequence[str], topics: Sequence[str]) -> None:
    """Commit offset 0 of every partition of `topics` for each group and forget the counters.

    The groups' workers must be stopped and their sessions over: a commit from outside is refused
    while a group has members. Raises aiokafka.errors.KafkaError.
    """
    for group in groups:
        await _rewind_group(settings, group, topics)
        if settings.kafka.counters == "file":
            CheckpointFile(settings.state_dir, group).clear()


async def _rewind_group(settings: Settings, group: str, topics: Sequence[str]) -> None:
    consumer = AIOKafkaConsumer(**consumer_options(settings.kafka, group))
    await consumer.start()
    try:
        known = await consumer.topics()
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            if topic in known
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        if partitions:
            consumer.assign(partitions)
            await consumer.commit({tp: OffsetAndMetadata(0, "") for tp in partitions})
    finally:
        await consumer.stop()
