"""What the brokers refuse a reader that is not a batch consumer of ours (Faust reads on without a word)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from config.kafka import Kafka
from connectors.kafka.admin import administering


async def refusals(kafka: Kafka, topics: Sequence[str], group: str) -> str:
    """Say which of `topics` and whether `group` is refused to us; empty when none is.

    Raises NoEntryError, and aiokafka.errors.KafkaError.
    """
    async with administering(kafka) as admin:
        described = cast("list[dict[str, Any]]", await admin.describe_topics(list(topics)))
        code = TopicAuthorizationFailedError.errno
        found = [
            f"topic {topic['topic']}: no right to it" for topic in described if topic["error_code"] == code
        ]
        try:
            await admin.find_coordinator(group)
        except GroupAuthorizationFailedError:
            found.append(f"group {group}: no right to it")
    return "; ".join(found)
