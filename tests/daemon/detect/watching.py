"""Running the role inside a test, filling its topics, reading what it wrote."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from config.settings import Settings
from connectors.kafka.client import connection_options, producer_options
from connectors.kafka.topics import partitions_of
from daemon.roles.detect import run
from daemon.runtime import Health, Runtime

Record = ConsumerRecord[bytes, bytes]


def runtime_of(stop: asyncio.Event | None = None) -> Runtime:
    registry = CollectorRegistry()
    health = Health(time.time, registry)
    return Runtime("detect", health, registry, time.time, stop or asyncio.Event())


@asynccontextmanager
async def detecting(settings: Settings) -> AsyncIterator[Runtime]:
    """Run the role; on the way out it has to stop within ten seconds."""
    runtime = runtime_of()
    task = asyncio.create_task(run(settings, runtime))
    try:
        await until(lambda: task.done() or bool(runtime.status()))
        yield runtime
    finally:
        runtime.stop.set()
        await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


async def fill(settings: Settings, records: Iterable[tuple[str, int, bytes]]) -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        futures = [await producer.send(topic, value, partition=n) for topic, n, value in records]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


async def everything(settings: Settings, topic: str) -> list[Record]:
    """Return all records of a topic, in order of partition and offset."""
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(await partitions_of(settings.kafka, [topic]))
        found: list[Record] = []
        empty = 0
        while empty < 3:
            polled = await consumer.getmany(timeout_ms=200)
            empty = 0 if polled else empty + 1
            for records in polled.values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()
