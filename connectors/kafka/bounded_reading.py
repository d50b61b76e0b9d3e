"""Reading without a group: topics from a time up to where they end now, and single records by their place.

Nothing is committed and no group is joined, so reading leaves no trace on the brokers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.batch import Record
from connectors.kafka.client import FETCH_PARTITION_BYTES, FETCH_TOTAL_BYTES, connection_options
from connectors.kafka.log_end import log_ends
from connectors.kafka.starting import started
from connectors.kafka.watching import fetch_position

_POLL_MS: Final = 500
_EMPTY_POLLS: Final = 20


@asynccontextmanager
async def ungrouped(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a started consumer without a group. Raises aiokafka.errors.KafkaError."""
    consumer = AIOKafkaConsumer(
        **connection_options(kafka),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
        fetch_max_bytes=FETCH_TOTAL_BYTES,
    )
    try:
        await started(consumer)
        yield consumer
    finally:
        await consumer.stop()


class Stretch(NamedTuple):
    """Records of a partition: from offset `start` to before `end`. `begins`: where the log begins."""

    begins: int
    start: int
    end: int


async def read_to_end(
    kafka: Kafka, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> AsyncIterator[Record]:
    """Yield what the partitions hold at this moment, of each in the order of its offsets.

    Raises aiokafka.errors.KafkaError.
    """
    async for record in read(consumer, await stretches(kafka, consumer, partitions)):
        yield record


async def stretches(
    kafka: Kafka,
    consumer: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    since: float | None = None,
) -> dict[TopicPartition, Stretch]:
    """Return what the partitions hold at this moment, from the first record of `since` on.

    `since` is an append time, seconds (UTC); None: from the beginning. Where the brokers' answer to it does
    not agree with the record before, as that of the embedded broker may not, it is from the beginning too.
    Raises aiokafka.errors.KafkaError.
    """
    if not partitions:
        return {}
    consumer.assign(list(partitions))
    begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(list(partitions))
    ends = await log_ends(kafka, await consumer.end_offsets(list(partitions)))
    starts = dict(begins)
    if since is not None:
        asked = {tp: max(0, int(since * 1000)) for tp in partitions}
        for tp, found in (await consumer.offsets_for_times(asked)).items():
            offset = ends[tp] if found is None else found.offset
            if await _all_earlier(consumer, tp, range(begins[tp], min(offset, ends[tp])), asked[tp]):
                starts[tp] = min(offset, ends[tp])
    consumer.assign(list(partitions))
    return {tp: Stretch(begins[tp], starts[tp], ends[tp]) for tp in sorted(ends)}


async def _all_earlier(consumer: AIOKafkaConsumer, tp: TopicPartition, skipped: range, at_ms: int) -> bool:
    """Whether the last of the records that would be skipped was appended before `at_ms`."""
    if not skipped:
        return True
    last = await read_one(consumer, tp, skipped[-1])
    # No record stands there: a transaction's marker, or what compaction took away. Kafka's answer holds.
    return last is None or last.timestamp < at_ms


async def read(consumer: AIOKafkaConsumer, parts: Mapping[TopicPartition, Stretch]) -> AsyncIterator[Record]:
    """Yield the records of each stretch in the order of its offsets. Raises aiokafka.errors.KafkaError."""
    left = {tp for tp, part in parts.items() if part.end > part.start}
    consumer.assign(list(left))
    for tp in left:
        consumer.seek(tp, parts[tp].start)
    while left:
        polled = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        for tp, records in polled.items():
            for record in records:
                if record.offset < parts[tp].end:
                    yield record
        left -= {tp for tp in left if (fetch_position(consumer, tp) or 0) >= parts[tp].end}


async def read_one(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> Record | None:
    """Return the record at `offset`, or None when it is gone or never was.

    Raises aiokafka.errors.KafkaError, and TimeoutError when the brokers do not answer within 10 s.
    """
    consumer.assign([tp])
    start = (await consumer.beginning_offsets([tp]))[tp]
    if offset < start:
        return None
    consumer.seek(tp, offset)
    for _ in range(_EMPTY_POLLS):
        try:
            polled = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)
        except OffsetOutOfRangeError:
            return None
        for record in polled.get(tp, ()):
            return record if record.offset == offset else None
        highwater = consumer.highwater(tp)
        if highwater is not None and offset >= highwater:
            return None
        if (fetch_position(consumer, tp) or 0) > offset:
            return None
    raise TimeoutError(f"{tp.topic}/{tp.partition}: no answer")
