"""Batches on a real broker: commits after output, losses reported, nothing lost over rebalances."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from config.settings import Settings
from connectors.kafka.batch import Lane, Loss, PartitionBatch
from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.checkpoint_file import CheckpointFile, store_for
from connectors.kafka.client import admin_options, producer_options
from connectors.kafka.committed import committed_offsets
from connectors.kafka.conservation import Counters, total
from connectors.kafka.rewind import rewind
from connectors.kafka.topics import create_topics
from daemon.demo.parts.broker import BrokerPart

pytestmark = pytest.mark.integration
TOPIC = "aws.cloudtrail"
GROUP = "davylamp-test"


class Keeper:
    """A handler that keeps what it was given, and can be made to block or to fail."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.reread: list[int] = []
        self.losses: list[Loss] = []
        self.resumed: list[dict[TopicPartition, int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        self.resumed.append(dict(resume))

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        self.entered.set()
        await self.open.wait()
        counts: dict[TopicPartition, Counters] = {}
        for batch in batches:
            new = [record for record in batch.records if record.offset >= batch.committed]
            self.reread += [record.offset for record in batch.records if record.offset < batch.committed]
            self.values += [record.value or b"" for record in new]
            counts[batch.tp] = {"records:read": len(new)}
        return counts

    async def lost(self, loss: Loss) -> None:
        self.losses.append(loss)


class Reports(list[tuple[bool, str]]):
    """What the consumer said about the brokers."""

    def __call__(self, up: bool, detail: str) -> None:
        if not self or self[-1][0] != up:
            self.append((up, detail))


def consumer_of(settings: Settings, keeper: Keeper, **more: object) -> BatchConsumer:
    return BatchConsumer(
        kafka=settings.kafka,
        group=GROUP,
        lanes=(Lane("all", (TOPIC,), keeper, 100),),
        store=store_for(settings, GROUP),
        report=Reports(),
        stop=asyncio.Event(),
        clock=time.time,
        **more,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def running(consumer: BatchConsumer) -> AsyncIterator[BatchConsumer]:
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop.set()
        await asyncio.wait_for(task, 12)


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


async def produce(settings: Settings, values: Sequence[bytes], partitions: int = 4) -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        futures = [await producer.send(TOPIC, v, partition=n % partitions) for n, v in enumerate(values)]
        await asyncio.gather(*futures)
    finally:
        await producer.stop()


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % n for n in range(start, start + count)]


def counted(consumer: BatchConsumer) -> Counters:
    return total(place.checkpoint.counters for place in consumer.places.values())


async def test_everything_is_read_once_and_counters_survive_a_restart(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(1000))
    keeper = Keeper()
    async with running(consumer_of(settings, keeper)) as consumer:
        await until(lambda: len(keeper.values) == 1000)
        await until(lambda: counted(consumer).get("records:read") == 1000)
        assert not keeper.losses
    await produce(settings, numbered(10, 1000))
    async with running(consumer_of(settings, keeper)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 1010)
    assert sorted(keeper.values, key=int) == numbered(1010)


async def test_nothing_is_committed_before_the_handler_returns(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(40))
    keeper = Keeper()
    keeper.open.clear()
    tps = [TopicPartition(TOPIC, n) for n in range(4)]
    async with running(consumer_of(settings, keeper, stop_timeout_s=0.5)):
        await until(keeper.entered.is_set)
        held = await committed_offsets(admin_options(settings.kafka), GROUP, tps)
        assert {known.offset for known in held.values() if known} == {0}, (
            "the initial commit stands at the start"
        )
    again = Keeper()
    async with running(consumer_of(settings, again)):
        await until(lambda: len(again.values) == 40)
    assert sorted(again.values, key=int) == numbered(40)


async def test_a_second_worker_takes_over_without_loss_or_double_count(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    first, second = Keeper(), Keeper()
    one, two = consumer_of(settings, first), consumer_of(settings, second)
    async with running(one):
        await until(lambda: bool(first.resumed))
        await produce(settings, numbered(400))
        async with running(two):
            for start in range(400, 2000, 100):
                await produce(settings, numbered(100, start))
                await asyncio.sleep(0.1)
            await until(lambda: len(one.places) == 2 and len(two.places) == 2)
            await until(
                lambda: counted(one).get("records:read", 0) + counted(two).get("records:read", 0) == 2000
            )
    assert set(first.values) | set(second.values) == set(numbered(2000))
    assert second.values, "the second worker had its share"


async def test_the_start_of_a_block_is_read_again_without_being_counted(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(25), partitions=1)
    keeper = Keeper()
    async with running(consumer_of(settings, keeper)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 25)
    await produce(settings, numbered(5, 25), partitions=1)
    again = Keeper()
    async with running(consumer_of(settings, again, reread=lambda offset: offset - offset % 10)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 30)
    assert again.reread == [20, 21, 22, 23, 24]
    assert again.values == numbered(5, 25)


async def test_a_committed_offset_beyond_the_log_is_a_counted_loss(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(40))
    keeper = Keeper()
    async with running(consumer_of(settings, keeper)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 40)
    broker.kill()
    broker.start()
    await create_topics(settings, raw=True)
    await produce(settings, numbered(4, 100))
    again = Keeper()
    async with running(consumer_of(settings, again)) as consumer:
        await until(lambda: len(again.values) == 4)
        await until(lambda: counted(consumer).get("records:read") == 44)
        assert counted(consumer)["lost_before_read"] == 4
    assert {loss.tp.partition for loss in again.losses} == {0, 1, 2, 3}
    assert {(loss.kind, loss.expected, loss.resumed, loss.records) for loss in again.losses} == {
        ("recreated", 10, 0, None)
    }


async def test_a_broker_that_is_killed_under_the_consumer_is_reported_and_waited_for(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(40))
    keeper = Keeper()
    consumer = consumer_of(settings, keeper)
    reports = Reports()
    consumer.report = reports
    async with running(consumer):
        await until(lambda: counted(consumer).get("records:read") == 40)
        broker.kill()
        await until(lambda: not reports[-1][0])
        broker.start()
        await create_topics(settings, raw=True)
        await produce(settings, numbered(4, 100))
        await until(lambda: len(keeper.values) == 44, 30)
        await until(lambda: reports[-1][0])
        await until(lambda: counted(consumer).get("records:read") == 44)
        assert counted(consumer)["lost_before_read"] >= 4


async def test_a_broker_that_stands_still_is_reported_and_goes_on(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(40))
    keeper = Keeper()
    consumer = consumer_of(settings, keeper)
    reports = Reports()
    consumer.report = reports
    async with running(consumer):
        await until(lambda: counted(consumer).get("records:read") == 40)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await until(lambda: not reports[-1][0])
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await produce(settings, numbered(40, 40))
        await until(lambda: counted(consumer).get("records:read") == 80, 30)
        await until(lambda: reports[-1][0])
    assert sorted(keeper.values, key=int) == numbered(80)
    assert not keeper.losses


async def test_stopping_takes_less_than_ten_seconds_with_a_broker_that_is_gone(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    keeper = Keeper()
    consumer = consumer_of(settings, keeper)
    async with running(consumer):
        await until(lambda: bool(keeper.resumed))
        broker.kill()
        await asyncio.sleep(1)
        began = time.monotonic()
    assert time.monotonic() - began < 10


async def test_rewinding_makes_everything_be_read_again(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await produce(settings, numbered(40))
    keeper = Keeper()
    async with running(consumer_of(settings, keeper)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 40)
    await rewind(settings, [GROUP], [TOPIC])
    assert not CheckpointFile(settings.state_dir, GROUP).path.exists()
    again = Keeper()
    async with running(consumer_of(settings, again)) as consumer:
        await until(lambda: counted(consumer).get("records:read") == 40)
    assert sorted(again.values, key=int) == numbered(40)


async def test_making_topics_twice_makes_them_once(settings: Settings) -> None:
    made = await create_topics(settings, raw=True)
    assert "davylamp.findings" in made
    assert await create_topics(settings, raw=True) == []
