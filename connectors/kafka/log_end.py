"""Where a log really ends. Asked before a committed offset beyond it is called a loss.

The embedded broker answers ListOffsets with the start of its last batch (measured: 473 for 907 records),
so its answer is a lower bound; reading from there finds the end. On Kafka both agree.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.client import connection_options
from connectors.kafka.starting import started
from connectors.kafka.watching import fetch_position

_POLL_MS = 300


async def log_ends(kafka: Kafka, listed: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Return the offset after the last record of each partition, reading on from `listed`.

    Raises aiokafka.errors.KafkaError.
    """
    if not listed:
        return {}
    consumer = AIOKafkaConsumer(**connection_options(kafka), auto_offset_reset="earliest")
    await started(consumer)
    try:
        consumer.assign(sorted(listed))
        for tp, offset in listed.items():
            consumer.seek(tp, offset)
        ends = dict(listed)
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                ends[tp] = max(ends[tp], records[-1].offset + 1)
            for tp, end in ends.items():
                # A transaction's marker is no record, and lies before the end all the same.
                ends[tp] = max(end, fetch_position(consumer, tp) or 0)
            if all(_at_end(consumer, tp, end) for tp, end in ends.items()):
                return ends
    finally:
        await consumer.stop()


def _at_end(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> bool:
    highwater = consumer.highwater(tp)
    return highwater is not None and highwater <= end
