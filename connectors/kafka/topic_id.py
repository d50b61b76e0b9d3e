"""The ids of topics (KIP-516): a topic that was deleted and made again has its old name and another id.

aiokafka 0.14 speaks Metadata up to version 5, which has no ids, so the one version that we need is described
here. A broker that knows no ids, or does not speak that version, answers with none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)
from aiokafka.structs import TopicPartition

_METADATA: Final = 3
_VERSION: Final = 10
_NO_ID: Final = bytes(16)


class _Uuid(AbstractType[bytes]):
    """Sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Return the bytes themselves."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """Read sixteen bytes."""
        return data.read(16)


class _Metadata(Response):
    API_KEY = _METADATA  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    API_VERSION = _VERSION  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("in_sync", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _AskMetadata(RequestStruct):
    API_KEY = _METADATA
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Metadata
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("cluster_operations", Boolean),
        ("topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIds(Request[_AskMetadata]):
    API_KEY = _METADATA

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = sorted(topics)

    def build(self, request_struct_class: type[_AskMetadata]) -> _AskMetadata:
        topics = [(_NO_ID, name, {}) for name in self._topics]
        return request_struct_class(topics, False, False, False, {})


async def topic_ids(consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> dict[str, str]:
    """Return topic -> id (22 characters), without topics whose id the broker does not say.

    The leaders of the partitions are asked, because they serve the records: another broker may hear of a
    new topic later. Raises aiokafka.errors.KafkaError.
    """
    client = cast(Any, consumer)._client
    asked: dict[int, set[str]] = {}
    for tp in partitions:
        leader = client.cluster.leader_for_partition(tp)
        node: int | None = leader if leader is not None and leader >= 0 else client.get_random_node()
        if node is not None:
            asked.setdefault(node, set()).add(tp.topic)
    found: dict[str, str] = {}
    for node, topics in asked.items():
        try:
            answer = cast(Any, await client.send(node, _TopicIds(topics)))
        except (IncompatibleBrokerVersion, NotImplementedError):
            return {}
        found |= {topic[1]: _text(topic[2]) for topic in answer.topics if not topic[0] and topic[2] != _NO_ID}
    return found


def _text(topic_id: bytes) -> str:
    return base64.urlsafe_b64encode(topic_id).rstrip(b"=").decode("ascii")
