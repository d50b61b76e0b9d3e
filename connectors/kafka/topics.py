"""The topics that Davylamp owns: names, shapes, and a creation that may run again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from config.settings import Settings
from connectors.kafka.admin import administering
from connectors.kafka.error import TopicRefusedError

FINDINGS: Final = "davylamp.findings"
MATCHES: Final = "davylamp.matches"
FLOWS: Final = "davylamp.flows"
VERDICTS: Final = "davylamp.verdicts"
INCIDENTS: Final = "davylamp.incidents"
AUDIT: Final = "davylamp.audit"
DEAD_LETTERS: Final = "davylamp.dlq"

KEPT_BY_TIME: Final = (FINDINGS, MATCHES, FLOWS, AUDIT, DEAD_LETTERS)
KEPT_BY_KEY: Final = (VERDICTS, INCIDENTS)
INTERNAL: Final = KEPT_BY_TIME + KEPT_BY_KEY
MAX_VALUE_BYTES: Final = 4 * 1024 * 1024
_TOPIC_ALREADY_EXISTS: Final = 36
_SHOWN_S: Final = 5.0
_LOOK_S: Final = 0.02


def definitions(kafka: Kafka) -> list[NewTopic]:
    """Return Davylamp's topics as contracts, section 1 wants them: append time, kept by time or compacted."""
    return [
        NewTopic(
            name=name,
            num_partitions=kafka.internal_partitions,
            replication_factor=kafka.replication_factor,
            topic_configs={
                "cleanup.policy": "compact" if name in KEPT_BY_KEY else "delete",
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(MAX_VALUE_BYTES),
            },
        )
        for name in INTERNAL
    ]


def raw_definitions(kafka: Kafka, partitions: int) -> list[NewTopic]:
    """Return the raw topics for a laptop or a test: in production the platform owns them."""
    return [
        NewTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=kafka.replication_factor,
            topic_configs={"message.timestamp.type": "LogAppendTime"},
        )
        for name in kafka.topics.kinds()
    ]


def changelog_definitions(kafka: Kafka, names: Sequence[str]) -> list[NewTopic]:
    """Return the changelogs of correlate's tables as Faust would make them, for a principal that may not."""
    return [
        NewTopic(
            name=name,
            num_partitions=kafka.internal_partitions,
            replication_factor=kafka.replication_factor,
            topic_configs={"cleanup.policy": "compact"},
        )
        for name in names
    ]


async def create_topics(settings: Settings, *, raw: bool = False, raw_partitions: int = 4) -> list[str]:
    """Make the missing topics and return their names; existing ones are left as they are.

    `raw` also makes the raw topics. Raises TopicRefusedError, NoEntryError with the reason when the brokers
    do not let us in, and aiokafka.errors.KafkaError.
    """
    wanted = definitions(settings.kafka)
    if raw:
        wanted += raw_definitions(settings.kafka, raw_partitions)
    async with administering(settings.kafka) as admin:
        existing = set(await admin.list_topics())
        return await make_topics(admin, [topic for topic in wanted if topic.name not in existing])


async def make_topics(admin: AIOKafkaAdminClient, missing: Sequence[NewTopic]) -> list[str]:
    """Make the topics; return the names of those that were made now, once the brokers show them.

    Raises TopicRefusedError, aiokafka.errors.KafkaError.
    """
    if not missing:
        return []
    answer = await admin.create_topics(list(missing))
    made: list[str] = []
    for name, code, reason in cast("list[tuple[str, int, str | None]]", vars(answer)["topic_errors"]):
        if code == 0:
            made.append(name)
        elif code != _TOPIC_ALREADY_EXISTS:
            raise TopicRefusedError(f"topic {name}: {for_code(code).__name__} {reason or ''}".strip())
    await _shown(admin, made)
    return made


async def _shown(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait, at most 5 s, until the brokers know of what the controller has made.

    A consumer that asks before is told that there is no such topic, and asks again 10 s later.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SHOWN_S):
            while not set(names) <= set(await admin.list_topics()):  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(_LOOK_S)


async def partitions_of(kafka: Kafka, topics: Sequence[str]) -> list[TopicPartition]:
    """Return the partitions of those of `topics` that exist, sorted. Raises KafkaError."""
    async with administering(kafka) as admin:
        # A topic that is asked for by name is made by a broker with Kafka's default settings.
        there = set(await admin.list_topics())
        asked = [topic for topic in topics if topic in there]
        described = await admin.describe_topics(asked) if asked else []
    return sorted(
        TopicPartition(topic["topic"], partition["partition"])
        for topic in cast("list[dict[str, Any]]", described)
        if not topic["error_code"]
        for partition in topic["partitions"]
    )
