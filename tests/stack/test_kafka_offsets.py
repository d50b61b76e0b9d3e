"""Where offsets, markers and times of real Kafka differ from what a reader of plain records expects."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from kafka.cluster import Record
from kafka.expected import counters_in_commits
from kafka.records import CLOUDTRAIL, cloudtrail
from kafka.role_task import becomes, role_task
from kafka.stage import Stage
from parts.kafka import KafkaPart

from connectors.kafka.committed import committed_offsets
from connectors.kafka.rewind import rewind

GROUP = "davylamp-detect"


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")


def events(numbers: range, partition: int = 0) -> list[Record]:
    return [(CLOUDTRAIL, partition, orjson.dumps(cloudtrail(n))) for n in numbers]


@pytest.mark.claim("a partition that ends with a transaction's marker or aborted records is read to its end")
async def test_transactions_leave_no_lag_and_no_loss(stage: Stage) -> None:
    stage.cluster.transaction(events(range(5)), commit=True)
    stage.cluster.transaction(events(range(5, 8)), commit=False)
    stage.cluster.transaction(events(range(8, 10)), commit=True)
    stage.cluster.transaction(events(range(10, 20)), commit=False)
    end = stage.cluster.ends(CLOUDTRAIL)[0][1]
    assert end == 5 + 3 + 2 + 10 + 4, "four markers stand between and behind the records"
    async with role_task("detect", stage.document()) as task:
        await becomes(lambda: task.counted("cloudtrail", "records:read") == 7, task.status)
        await becomes(lambda: task.lag(f"{CLOUDTRAIL}/0") == 0, task.status)
        stage.cluster.transaction(events(range(20, 25)), commit=False)
        moved = lambda: stage.cluster.ends(CLOUDTRAIL)[0][1] == end + 6  # noqa: E731
        await becomes(moved, task.status)
        await asyncio.sleep(1.0)
        await becomes(lambda: task.lag(f"{CLOUDTRAIL}/0") == 0, task.status)
        stage.cluster.transaction(events(range(25, 27)), commit=True)
        await becomes(lambda: task.counted("cloudtrail", "records:read") == 9, task.status)
        await becomes(lambda: task.lag(f"{CLOUDTRAIL}/0") == 0, task.status)
        assert task.status()["lost_before_read"] == {}
        assert task.status()["violations"] == []
        await asyncio.sleep(1.2)
    beats = [b for b in stage.cluster.documents("davylamp.matches") if b["kind"] == "heartbeat"]
    assert beats[-1]["partitions"][f"{CLOUDTRAIL}/0"]["idle"] is True, "it is caught up"
    committed = await asyncio.to_thread(stage.cluster.committed, GROUP)
    assert committed[TopicPartition(CLOUDTRAIL, 0)].offset == end + 6 + 3


@pytest.mark.claim("append time is the broker's: a producer's forged time moves no watermark")
async def test_a_forged_time_does_not_reach_the_heartbeat(stage: Stage) -> None:
    began = time.time()
    forged = int((began + 30 * 86400) * 1000)
    for topic in ("davylamp.matches", "davylamp.findings", CLOUDTRAIL):
        stage.cluster.fill([(topic, 1, b'{"kind":"test"}')], timestamp_ms=forged)
        stamp = stage.cluster.everything(topic)[0].timestamp()
        assert stamp[0] == 2, f"{topic}: LogAppendTime"
        assert abs(stamp[1] / 1000 - began) < 60
    async with role_task("detect", stage.document()) as task:
        await becomes(lambda: task.ready, task.kafka_detail)
        await asyncio.sleep(1.5)
    beats = [b for b in stage.cluster.documents("davylamp.flows") if b["kind"] == "heartbeat"]
    assert abs(beats[-1]["partitions"][f"{CLOUDTRAIL}/1"]["append_time"] - began) < 60


@pytest.mark.claim("setting the groups back on real Kafka makes everything be read again, and nothing twice")
async def test_rewinding_reads_everything_again(stage: Stage) -> None:
    stage.cluster.fill(events(range(200)))
    for _ in range(2):
        async with role_task("detect", stage.document()) as task:
            await becomes(lambda task=task: task.counted("cloudtrail", "records:read") == 200, task.status)
            assert task.status()["lost_before_read"] == {}
        await rewind(stage.settings, [GROUP], [CLOUDTRAIL])
    counters = await asyncio.to_thread(counters_in_commits, stage.cluster, GROUP)
    assert "records:read" not in counters, "the second reading began at nothing"


async def commit_many(brokers: str, place: TopicPartition, count: int) -> None:
    """Commit again and again with long metadata, so that the coordinator takes a while to load them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place])
        for offset in range(1, count + 1):
            await consumer.commit({place: OffsetAndMetadata(offset, "x" * 2000)})
    finally:
        await consumer.stop()


async def answers_until(brokers: str, place: TopicPartition, last: int) -> set[int | None]:
    """Ask for the commit until it is `last`; return every answer that was given."""
    found: set[int | None] = set()
    give_up = time.monotonic() + 40
    while last not in found:
        assert time.monotonic() < give_up, found
        with contextlib.suppress(KafkaError):
            told = await committed_offsets({"bootstrap_servers": brokers}, GROUP, [place])
            found.add(told[place].offset if told[place] else None)
        await asyncio.sleep(0.002)
    return found


@pytest.mark.claim(
    "while a restarted broker loads its groups, no group is taken for one that never committed"
)
def test_commits_that_are_still_loading_are_not_taken_for_none(stage: Stage, kafka: KafkaPart) -> None:
    place = TopicPartition(CLOUDTRAIL, 0)
    asyncio.run(commit_many(kafka.brokers, place, 2000))
    kafka.kill()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(asyncio.run, answers_until(kafka.brokers, place, 2000))
        kafka.start()
        assert asking.result() == {2000}
