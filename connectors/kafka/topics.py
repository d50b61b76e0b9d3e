"""The topics that Davylamp owns: names, shapes, and a creation that may run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from config.settings import Settings
from connectors.kafka.client import admin_options
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


async def create_topics(settings: Settings, *, raw: bool = False, raw_partitions: int = 4) -> list[str]:
    """Make the missing topics and return their names; existing ones are left as they are.

    `raw` also makes the raw topics (a laptop, a test): in production the platform owns them.
    Raises TopicRefusedError, and aiokafka.errors.KafkaError when the broker is away.
    """
    wanted = definitions(settings.kafka)
    if raw:
        wanted += [
            NewTopic(
                name=name,
                num_partitions=raw_partitions,
                replication_factor=settings.kafka.replication_factor,
                topic_configs={"message.timestamp.type": "LogAppendTime"},
            )
            for name in settings.kafka.topics.kinds()
        ]
    admin = AIOKafkaAdminClient(**admin_options(settings.kafka))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if not missing:
            return []
        answer = await admin.create_topics(missing)
        return _made(cast("list[tuple[str, int, str | None]]", vars(answer)["topic_errors"]))
    finally:
        await admin.close()


async def partitions_of(kafka: Kafka, topics: Sequence[str]) -> list[TopicPartition]:
    """Return the partitions of those of `topics` that exist, sorted. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**admin_options(kafka))
    await admin.start()
    try:
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return sorted(
        TopicPartition(topic["topic"], partition["partition"])
        for topic in cast("list[dict[str, Any]]", described)
        if not topic["error_code"]
        for partition in topic["partitions"]
    )


def _made(answers: list[tuple[str, int, str | None]]) -> list[str]:
    made: list[str] = []
    for name, code, reason in answers:
        if code == 0:
            made.append(name)
        elif code != _TOPIC_ALREADY_EXISTS:
            raise TopicRefusedError(f"topic {name}: {for_code(code).__name__} {reason or ''}".strip())
    return made
