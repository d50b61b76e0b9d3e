"""What a group has committed, with the metadata of the commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata, TopicPartition


async def committed_offsets(
    admin_options: Mapping[str, Any], group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata | None]:
    """Return the commit of each partition, None where there is none. Raises KafkaError."""
    out: dict[TopicPartition, OffsetAndMetadata | None] = dict.fromkeys(partitions)
    if not partitions:
        return out
    admin = AIOKafkaAdminClient(**admin_options)
    await admin.start()
    try:
        answer = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    finally:
        await admin.close()
    for tp, found in answer.items():
        if found.offset >= 0 and tp in out:
            out[tp] = found
    return out
