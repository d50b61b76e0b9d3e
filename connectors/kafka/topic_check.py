"""Topics that are there, held against what the contract wants of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from connectors.kafka.error import TopicRefusedError


@dataclass(frozen=True, slots=True)
class TopicState:
    """A wanted topic: is it there, and where it differs, setting -> (what it is, what is wanted)."""

    topic: NewTopic
    there: bool
    differs: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


async def topic_states(admin: AIOKafkaAdminClient, wanted: Sequence[NewTopic]) -> list[TopicState]:
    """Look at every wanted topic. Raises TopicRefusedError where settings may not be read, KafkaError."""
    described = cast("list[dict[str, Any]]", await admin.describe_topics(None))
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    settings = await _settings(admin, [topic for topic in wanted if topic.name in partitions])
    return [
        TopicState(topic, True, _differences(topic, partitions[topic.name], settings[topic.name]))
        if topic.name in partitions
        else TopicState(topic, False)
        for topic in wanted
    ]


def _differences(topic: NewTopic, partitions: int, settings: dict[str, str]) -> dict[str, tuple[str, str]]:
    found = {
        name: (settings.get(name, ""), str(value))
        for name, value in topic.topic_configs.items()
        if settings.get(name) != str(value)
    }
    if partitions != topic.num_partitions:
        found["partitions"] = (str(partitions), str(topic.num_partitions))
    return found


async def _settings(admin: AIOKafkaAdminClient, topics: Sequence[NewTopic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    asked = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=dict.fromkeys(topic.topic_configs))
        for topic in topics
    ]
    found: dict[str, dict[str, str]] = {}
    for answer in cast("list[Any]", await admin.describe_configs(asked)):
        for code, reason, _, name, entries in answer.resources:
            if code:
                raise TopicRefusedError(
                    f"settings of {name}: {for_code(code).__name__} {reason or ''}".strip()
                )
            found[name] = {entry[0]: str(entry[1]) for entry in entries}
    return found
