"""What a group has committed, with the metadata of the commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition


async def committed_offsets(
    admin_options: Mapping[str, Any], group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata | None]:
    """Return the commit of each partition, None where there is none. Raises KafkaError.

    aiokafka 0.14's own call overlooks the error of the whole answer: a coordinator that is still loading,
    has moved or refuses the group looks like a group that never committed, and everything would be read
    and counted again.
    """
    out: dict[TopicPartition, OffsetAndMetadata | None] = dict.fromkeys(partitions)
    if not partitions:
        return out
    asked: dict[str, list[int]] = {}
    for topic, partition in partitions:
        asked.setdefault(topic, []).append(partition)
    admin = AIOKafkaAdminClient(**admin_options)
    try:
        await admin.start()
        coordinator = await admin.find_coordinator(group)
        request = OffsetFetchRequest(group, list(asked.items()))
        answer = cast(Any, await admin._send_request(request, coordinator))
    finally:
        await admin.close()
    _check(getattr(answer, "error_code", 0), f"commits of group {group}")
    for topic, found in answer.topics:
        for partition, offset, metadata, code in found:
            place = TopicPartition(topic, partition)
            _check(code, f"commit of group {group} for {topic}/{partition}")
            if offset >= 0 and place in out:
                out[place] = OffsetAndMetadata(offset, metadata)
    return out


def _check(code: int, what: str) -> None:
    if code:
        raise for_code(code)(what)
