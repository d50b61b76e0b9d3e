"""Reading without a group: a topic up to where it ends now, and single records by their place.

Nothing is committed and no group is joined, so reading leaves no trace on the brokers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.batch import Record
from connectors.kafka.client import FETCH_PARTITION_BYTES, FETCH_TOTAL_BYTES, connection_options
from connectors.kafka.log_end import log_ends
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
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def read_to_end(
    kafka: Kafka, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> AsyncIterator[Record]:
    """Yield what the partitions hold at this moment, of each in the order of its offsets.

    Raises aiokafka.errors.KafkaError.
    """
    if not partitions:
        return
    consumer.assign(list(partitions))
    starts: Mapping[TopicPartition, int] = await consumer.beginning_offsets(list(partitions))
    ends = await log_ends(kafka, await consumer.end_offsets(list(partitions)))
    for tp, start in starts.items():
        consumer.seek(tp, start)
    left = {tp for tp, end in ends.items() if end > starts[tp]}
    while left:
        polled = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        for tp, records in polled.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
        left -= {tp for tp in left if (fetch_position(consumer, tp) or 0) >= ends[tp]}


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
    raise TimeoutError(f"{tp.topic}/{tp.partition}: no answer")
