"""Set consumer groups back to the first offset: reading everything again must change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.settings import Settings
from connectors.kafka.checkpoint_file import CheckpointFile
from connectors.kafka.client import consumer_options
from connectors.kafka.error import GroupBusyError
from connectors.kafka.topics import partitions_of

_LOOK_S = 0.1


class FaustNamedAssignor(RoundRobinPartitionAssignor):
    """Lets one consumer join the group of a Faust app, whose members only speak the protocol `faust`."""

    name = "faust"


async def rewind(settings: Settings, groups: Sequence[str], topics: Sequence[str]) -> None:
    """Commit offset 0 of every partition of `topics` for each group and forget the counters.

    The groups' workers must be stopped. Raises GroupBusyError when a group still has other members
    after three session time-outs, and aiokafka.errors.KafkaError.
    """
    await asyncio.gather(*(_rewind_group(settings, group, topics) for group in groups))
    if settings.kafka.counters == "file":
        for group in groups:
            CheckpointFile(settings.state_dir, group).clear()


async def _rewind_group(settings: Settings, group: str, topics: Sequence[str]) -> None:
    partitions = set(await partitions_of(settings.kafka, topics))
    if not partitions:
        return
    consumer = AIOKafkaConsumer(
        **consumer_options(settings.kafka, group),
        partition_assignment_strategy=(RoundRobinPartitionAssignor, FaustNamedAssignor),
    )
    await consumer.start()
    try:
        try:
            consumer.assign(sorted(partitions))
            await _commit_start(consumer, partitions)
        except CommitFailedError:
            # The embedded broker takes no commit from outside once a group has had members.
            consumer.unsubscribe()
            await _join_alone(consumer, partitions, settings.kafka.session_timeout_s * 3, group)
            await _commit_start(consumer, partitions)
    finally:
        await consumer.stop()


async def _commit_start(consumer: AIOKafkaConsumer, partitions: set[TopicPartition]) -> None:
    await consumer.commit({tp: OffsetAndMetadata(0, "") for tp in partitions})


async def _join_alone(
    consumer: AIOKafkaConsumer, partitions: set[TopicPartition], timeout_s: float, group: str
) -> None:
    """Become the only member of the group, owner of all partitions."""
    consumer.subscribe(sorted({tp.topic for tp in partitions}))
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                if consumer.assignment() == partitions:
                    return
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise GroupBusyError(f"group {group} still has members: stop its workers first") from None
