"""Forwarding on a real broker: every item ends by name, a target that is away delays nobody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry, generate_latest

from config.settings import Settings
from connectors.ecs.stream import Document
from connectors.kafka.client import connection_options, producer_options
from connectors.kafka.producer import ConfirmedProducer
from connectors.kafka.topics import create_topics
from connectors.siem.target import DELIVERED, ItemOutcome, TargetAwayError
from daemon.roles.forward import run
from daemon.roles.forward.forwarder import Forwarder
from daemon.runtime import Health, Runtime
from detectors.event import Entity
from detectors.finding import Finding, rfc3339
from detectors.level import Level

pytestmark = pytest.mark.integration
START = 1_780_000_000.0


class Double:
    """A SIEM target in memory; a double of the port, not of any product."""

    def __init__(self, name: str = "double") -> None:
        self.name = name
        self.held: dict[str, Document] = {}
        self.order: list[str] = []
        self.away = False
        self.refuse: set[str] = set()
        self.retry: set[str] = set()

    async def open(self) -> None:
        if self.away:
            raise TargetAwayError(f"{self.name}: away")

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        if self.away:
            raise TargetAwayError(f"{self.name}: away")
        await asyncio.sleep(0.001)
        return [self._end(document) for document in batch]

    async def close(self) -> None:
        return None

    def _end(self, document: Document) -> ItemOutcome:
        if document.id in self.refuse:
            return ItemOutcome("rejected", "mapping")
        if document.id in self.retry:
            return ItemOutcome("retry", "429")
        if document.id in self.held:
            return ItemOutcome("already_there")
        self.held[document.id] = document
        self.order.append(document.stream)
        return DELIVERED


def event(number: int) -> bytes:
    return orjson.dumps(
        {
            "eventID": f"00000000-0000-4000-8000-{number:012d}",
            "eventTime": rfc3339(START + number)[:19] + "Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/u"},
        }
    )


def finding(number: int, level: Level = "high") -> bytes:
    return orjson.dumps(
        Finding(
            rule_id="r",
            title="T",
            level=level,
            base_level=level,
            status="final",
            source="cloudtrail",
            event_id=str(number),
            event_ids=(str(number),),
            event_time=START,
            first_time=START,
            last_time=START,
            count=1,
            entities=(Entity("pod", "a/b", "target"),),
            attack=(),
            explain="x",
            finding_id=f"f{number}",
        ).to_json()
    )


async def fill(settings: Settings, records: Iterable[tuple[str, bytes]]) -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value) for topic, value in records])
    finally:
        await producer.stop()


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


async def dead_letters(settings: Settings) -> list[dict[str, str]]:
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("davylamp.dlq", n) for n in range(4)])
        letters: list[dict[str, str]] = []
        empty = 0
        while empty < 3:
            polled = await consumer.getmany(timeout_ms=200)
            empty = 0 if polled else empty + 1
            for records in polled.values():
                letters += [{name: value.decode() for name, value in record.headers} for record in records]
        return letters
    finally:
        await consumer.stop()


@asynccontextmanager
async def forwarding(settings: Settings, *targets: Double) -> AsyncIterator[list[Forwarder]]:
    """Run a forwarder for each double, as the role does."""
    stop = asyncio.Event()
    producer = ConfirmedProducer(settings.kafka, lambda up, detail: None)
    forwarders = [
        Forwarder(
            settings,
            target,
            producer,
            stop=stop,
            clock=time.time,
            jitter=lambda: 0.0,
            kafka_report=lambda up, detail: None,
            target_report=lambda up, detail: None,
            assigned=lambda: None,
        )
        for target in targets
    ]
    tasks = [asyncio.create_task(forwarder.run()) for forwarder in forwarders]
    try:
        yield forwarders
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        await producer.stop(2)


def counted(forwarder: Forwarder, source: str) -> dict[str, int]:
    return forwarder.status()[0].get(source, {})


async def test_every_item_ends_by_name(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    double = Double()
    double.refuse = {"00000000-0000-4000-8000-000000000007", "f3/final"}
    events = [("aws.cloudtrail", event(n)) for n in range(50)]
    unreadable = [("aws.cloudtrail", b"{ not json"), ("k8s.audit", b"\xff")]
    findings = [("davylamp.findings", finding(n)) for n in range(5)]
    others = [("davylamp.findings", finding(9, "informational")), ("davylamp.findings", b'{"schema":"?"}')]
    await fill(settings, [*events, events[0], *unreadable, *findings, *others])
    async with forwarding(settings, double) as (forwarder,):
        await until(lambda: counted(forwarder, "cloudtrail").get("items:read") == 51)
        await until(lambda: counted(forwarder, "findings").get("items:read") == 7)
        await until(lambda: counted(forwarder, "kubernetes_audit").get("items:unreadable") == 1)
        raw, alerts = counted(forwarder, "cloudtrail"), counted(forwarder, "findings")
        assert forwarder.status()[1] == []
    assert (raw["items:delivered"], raw["items:already_there"], raw["items:rejected"]) == (49, 1, 1)
    assert raw["items:unreadable"] == 1
    assert (alerts["items:delivered"], alerts["items:filtered"], alerts["items:rejected"]) == (4, 1, 2)
    letters = await dead_letters(settings)
    assert sorted((letter["reason"], letter["source"]) for letter in letters) == [
        ("not_ours", "findings"),
        ("refused_by_target", "cloudtrail"),
        ("refused_by_target", "findings"),
    ]
    assert {letter["role"] for letter in letters} == {"forward"}
    assert {letter["target"] for letter in letters} == {"double"}


async def test_a_target_that_is_away_keeps_its_place_and_delays_no_other(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    here, away = Double("here"), Double("away")
    away.away = True
    await fill(settings, [("aws.cloudtrail", event(n)) for n in range(200)])
    async with forwarding(settings, here, away) as (one, two):
        await until(lambda: len(here.held) == 200)
        await until(lambda: counted(one, "cloudtrail").get("items:delivered") == 200)
        await until(lambda: counted(two, "cloudtrail").get("items:in_flight", 0) > 0)
        assert counted(two, "cloudtrail").get("items:delivered", 0) == 0
        assert two.status()[1] == []
        away.away = False
        await until(lambda: counted(two, "cloudtrail").get("items:delivered") == 200)
        assert counted(two, "cloudtrail").get("items:in_flight", 0) == 0


async def test_alerts_pass_events_that_the_target_keeps_putting_off(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    double = Double()
    double.retry = {f"00000000-0000-4000-8000-{n:012d}" for n in range(20)}
    await fill(settings, [("aws.cloudtrail", event(n)) for n in range(20)])
    async with forwarding(settings, double) as (forwarder,):
        await until(lambda: counted(forwarder, "cloudtrail").get("items:in_flight") == 20)
        await fill(settings, [("davylamp.findings", finding(n)) for n in range(5)])
        await until(lambda: counted(forwarder, "findings").get("items:delivered") == 5)
        assert counted(forwarder, "cloudtrail")["items:in_flight"] == 20
        double.retry = set()
        await until(lambda: counted(forwarder, "cloudtrail").get("items:delivered") == 20)


async def test_stopping_with_a_target_away_takes_under_ten_seconds_and_loses_nothing(
    settings: Settings,
) -> None:
    await create_topics(settings, raw=True)
    double = Double()
    double.away = True
    await fill(settings, [("aws.cloudtrail", event(n)) for n in range(20)])
    async with forwarding(settings, double) as (forwarder,):
        await until(lambda: counted(forwarder, "cloudtrail").get("items:in_flight") == 20)
    double.away = False
    async with forwarding(settings, double) as (forwarder,):
        await until(lambda: counted(forwarder, "cloudtrail").get("items:delivered") == 20)
    assert len(double.held) == 20


async def test_the_role_writes_documents_to_the_file_target(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await fill(settings, [("aws.cloudtrail", event(n)) for n in range(10)])
    await fill(settings, [("davylamp.findings", finding(n)) for n in range(2)])
    registry = CollectorRegistry()
    runtime = Runtime("forward", Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.create_task(run(settings, runtime))
    status: Callable[[], dict[str, Any]] = lambda: runtime.status()  # noqa: E731
    await until(
        lambda: (
            status().get("conservation", {}).get("file", {}).get("findings", {}).get("items:delivered") == 2
        )
    )
    await until(lambda: status()["conservation"]["file"].get("cloudtrail", {}).get("items:delivered") == 10)
    assert runtime.health.ready()
    assert set(runtime.health.dependencies) == {"kafka", "file"}
    metrics = generate_latest(registry).decode()
    runtime.stop.set()
    await asyncio.wait_for(task, 10)
    lines = (settings.state_dir / "siem" / "logs-davylamp.events-default.jsonl").read_bytes().splitlines()
    assert {orjson.loads(line)["event"]["id"] for line in lines} == {
        f"00000000-0000-4000-8000-{n:012d}" for n in range(10)
    }
    assert (
        'davylamp_forward_items_total{outcome="delivered",reason="",source="cloudtrail",target="file"} 10.0'
        in metrics
    )
