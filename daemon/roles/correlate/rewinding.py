"""Set correlate's group back to the first offset, as a member of the kind that the broker remembers.

The embedded broker takes no commit from outside a group that has had members, and never forgets their
protocol (measured: InconsistentGroupProtocol 20 s after the last one left), so this joins under Faust's name.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.settings import Settings
from connectors.kafka.client import consumer_options
from connectors.kafka.error import GroupBusyError
from connectors.kafka.topics import FLOWS, MATCHES
from daemon.roles.correlate.application import APP_ID

_SESSIONS: Final = 3
_LOOK_S: Final = 0.1


class _FaustNamed(RoundRobinPartitionAssignor):
    """Round robin under the name of Faust's assignor; this member is alone, so the two never mix."""

    name = "faust"


async def rewind(settings: Settings) -> None:
    """Commit offset 0 of every partition of matches and flows; correlate must be stopped.

    States stay: reading everything again must say nothing new. Raises GroupBusyError when the group still has
    other members after three session time-outs, and aiokafka.errors.KafkaError.
    """
    options: dict[str, Any] = consumer_options(settings.kafka, APP_ID)
    options["partition_assignment_strategy"] = [_FaustNamed]
    consumer = AIOKafkaConsumer(**options)
    await consumer.start()
    try:
        consumer.subscribe([MATCHES, FLOWS])
        wanted = {
            TopicPartition(topic, partition)
            for topic in (MATCHES, FLOWS)
            for partition in range(settings.kafka.internal_partitions)
        }
        await _assigned(consumer, wanted, settings.kafka.session_timeout_s * _SESSIONS)
        await consumer.commit({place: OffsetAndMetadata(0, "") for place in wanted})
    finally:
        await consumer.stop()


async def _assigned(consumer: AIOKafkaConsumer, wanted: set[TopicPartition], timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not wanted <= consumer.assignment():  # noqa: ASYNC110 - aiokafka has no event for it
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise GroupBusyError(f"group {APP_ID} still has members: stop its workers first") from None
