"""What an aiokafka consumer knows and does not say by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition


def check_group(consumer: AIOKafkaConsumer) -> None:
    """Raise what keeps the consumer from getting an assignment (a refused group, for example): KafkaError.

    aiokafka says it only to who asks for records, and nobody does before there is an assignment.
    """
    cast(Any, consumer)._coordinator.check_errors()


def hidden_topics(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> str:
    """Say which of `topics` the brokers do not show; empty when all are there.

    A consumer of several topics silently reads the others: a source would be blind and nobody would know.
    """
    refused: frozenset[str] = frozenset(cast(Any, consumer)._client.cluster.unauthorized_topics)
    missing = [topic for topic in topics if not consumer.partitions_for_topic(topic)]
    return "; ".join(
        f"topic {topic}: {'no right to read it' if topic in refused else 'not there'}" for topic in missing
    )


def fetch_position(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int | None:
    """Return the offset that will be fetched next, None while there is none.

    It lies behind the last record where transactions left markers or aborted records, or compaction a hole.
    """
    subscription = cast(Any, consumer)._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None or tp not in assignment.tps:
        return None
    state = assignment.state_value(tp)
    return state.position if state.has_valid_position else None
