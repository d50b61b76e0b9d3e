"""The whole role on a real broker, vault and database: findings in, proof and messages out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr
from sqlalchemy import func, select

from config.kafka import Kafka
from config.notification import Webhook
from config.secret import Secret
from config.settings import Settings
from connectors.kafka.topics import AUDIT, FINDINGS, INCIDENTS, create_topics
from connectors.store.database import Database, upgrade
from connectors.store.promotion import request_drill
from connectors.store.schema import actions, audit, findings, incidents, outbox, proofs
from daemon.demo.parts.broker import BrokerPart
from daemon.demo.parts.postgres import PostgresPart
from daemon.roles.respond import run
from daemon.roles.respond.policy import policy_of
from daemon.runtime import Health, Runtime
from detectors.event import Entity
from detectors.finding import Finding, finding_id

pytestmark = pytest.mark.integration


@dataclass
class Role:
    """A running role with what a test looks at."""

    runtime: Runtime
    task: asyncio.Task[None]

    def metric(self, name: str, **labels: str) -> float:
        return self.runtime.registry.get_sample_value(name, labels) or 0.0

    def told(self, key: str, default: Any = None) -> Any:
        return self.runtime.status().get(key, default)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Role]:
    registry = CollectorRegistry()
    runtime = Runtime("respond", Health(time.time, registry), registry, time.time, asyncio.Event())
    role = Role(runtime, asyncio.create_task(run(settings, runtime)))
    try:
        yield role
    finally:
        runtime.stop.set()
        await asyncio.wait_for(role.task, 15)


async def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "not in time"
        await asyncio.sleep(0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerPart]:
    part = BrokerPart(tmp_path / "broker")
    part.start()
    yield part
    part.stop()


def with_broker(settings: Settings, broker: BrokerPart, **changes: Any) -> Settings:
    kafka = Kafka(
        brokers=(broker.brokers,),
        session_timeout_s=2,
        heartbeat_interval_s=0.5,
        rebalance_timeout_s=2,
        internal_partitions=2,
    )
    return settings.model_copy(update={"kafka": kafka, **changes})


def finding(number: int, target: Any) -> Finding:
    event = f"event-{number}"
    now = time.time()
    return Finding(
        rule_id="vault-static-read",
        title="a database password was read",
        level="high",
        base_level="high",
        status="final",
        source="vault_audit",
        event_id=event,
        event_ids=(event,),
        event_time=now,
        first_time=now,
        last_time=now,
        count=1,
        entities=(
            Entity("credential", f"database:{target.mount}/{target.name}", "target"),
            Entity("vault_entity", f"thief-{number}", "actor"),
        ),
        attack=("attack.t1552",),
        explain="somebody read a password",
        finding_id=finding_id("vault-static-read", 1, [event]),
        labels={"playbook": "leaked-credential"},
    )


async def produce(broker: BrokerPart, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.brokers)
    await producer.start()
    for value in values:
        await producer.send_and_wait(FINDINGS, value, b"key")
    await producer.stop()


async def read(broker: BrokerPart, topic: str, expected: int) -> list[dict[str, Any]]:
    """Return the first `expected` messages: the broker's ends are not to be relied on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in (0, 1)])
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while len(found) < expected:
                for records in (await consumer.getmany(timeout_ms=300)).values():
                    found += [json.loads(record.value) for record in records]
        return found
    finally:
        await consumer.stop()


def sent(database: Database, topic: str) -> int:
    """Return how many messages for this topic the broker confirmed."""
    query = select(func.count()).where(outbox.c.topic == topic, outbox.c.sent_at.is_not(None))
    with database.reading() as connection:
        return connection.execute(query).scalar_one()


def count(database: Database, table: Any) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def test_a_drill_runs_from_request_to_proof_and_to_kafka(scene, broker, tmp_path, capfd):
    target = scene.target()
    stolen = scene.served(target)
    settings = with_broker(scene.settings(target, folder=tmp_path), broker)
    url = settings.response.database_url.reveal()
    upgrade(url)
    database = Database(url)
    request_drill(database, target.key, time.time(), "alice", policy_of(settings))

    async with running(settings) as role:
        await until(lambda: count(database, proofs) == 1)
        await until(role.runtime.health.ready)
        await until(lambda: role.told("actions") == {"succeeded": 1})
        await until(lambda: sent(database, AUDIT) == count(database, audit))
        await until(lambda: role.metric("davylamp_outbox_pending") == 0)
        labels = {"verb": "rotate.credential", "outcome": "succeeded", "mode": "drill"}
        assert role.metric("davylamp_actions_total", **labels) == 1

    with database.reading() as connection:
        assert connection.execute(select(proofs.c.grade)).scalar_one() == "A"
    written_down = count(database, audit)
    database.close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        scene.login(target, stolen)
    told = await read(broker, AUDIT, written_down)
    assert {"drill.request", "action.start", "action.finish"} <= {row["action"] for row in told}
    written = capfd.readouterr()
    everything = (
        json.dumps(told) + written.out + written.err + generate_latest(role.runtime.registry).decode()
    )
    everything += json.dumps(role.runtime.status())
    everything += str(role.runtime.health.dependencies)
    secrets = [stolen, scene.served(target), scene.observer_password, settings.vault.token.reveal()]
    assert "action ended" in everything
    assert not [index for index, secret in enumerate(secrets) if secret in everything]


async def test_findings_become_one_incident_and_a_replay_changes_nothing(scene, broker, tmp_path):
    target = scene.target()
    settings = with_broker(scene.settings(target, folder=tmp_path), broker)
    await create_topics(settings)
    records = [orjson.dumps(finding(number, target).to_json()) for number in range(3)]
    bad = [b"", b"{", b"[]", b'{"schema":"other/1"}', b"\xff\xfe", b'{"a":NaN}']
    await produce(broker, records + bad)
    url = settings.response.database_url.reveal()
    database = Database(url)

    async with running(settings) as role:
        await until(lambda: role.told("findings") == {"read": 9, "unreadable": 6})
        await until(lambda: role.told("incidents") == 1)
        await until(lambda: role.told("actions") == {"proposed": 1})
        assert role.metric("davylamp_ingest_total", outcome="joined") == 3
        assert role.metric("davylamp_ingest_total", outcome="unreadable") == 6
        await until(lambda: role.metric("davylamp_outbox_pending") == 0)
    before = [count(database, table) for table in (incidents, findings, actions)]

    await produce(broker, records)
    async with running(settings) as role:
        await until(lambda: role.told("findings", {}).get("read") == 3)
        assert role.metric("davylamp_ingest_total", outcome="repeated") == 3
    assert [count(database, table) for table in (incidents, findings, actions)] == before
    told = await read(broker, INCIDENTS, sent(database, INCIDENTS))
    database.close()
    latest = [row for row in told if row["schema"] == "davylamp.incident/1"]
    assert {row["incident_id"] for row in latest} == {latest[0]["incident_id"]}


async def test_a_broker_that_is_away_is_said_and_waited_for(scene, broker, tmp_path):
    target = scene.target()
    settings = with_broker(scene.settings(target, folder=tmp_path), broker)
    async with running(settings) as role:
        await until(role.runtime.health.ready)
        broker.kill()
        await until(lambda: not role.runtime.health.dependencies["kafka"].up)
        broker.start()
        await create_topics(settings)
        await until(lambda: role.runtime.health.dependencies["kafka"].up)
        await produce(broker, [orjson.dumps(finding(1, target).to_json())])
        await until(lambda: role.told("incidents") == 1)


async def test_a_database_of_record_that_is_away_is_said_and_waited_for(scene, broker, tmp_path):
    target = scene.target()
    postgres = PostgresPart(tmp_path / "record")
    postgres.start()
    try:
        user = f"postgres:{postgres.superuser_password}"
        url = f"postgresql+psycopg://{user}@127.0.0.1:{postgres.port}/postgres?sslmode=disable"
        settings = scene.settings(target)
        response = settings.response.model_copy(update={"database_url": Secret(value=SecretStr(url))})
        settings = with_broker(settings, broker, response=response)
        async with running(settings) as role:
            await until(role.runtime.health.ready)
            postgres.stop()
            await until(lambda: not role.runtime.health.dependencies["database"].up)
            detail = role.runtime.health.dependencies["database"].detail
            assert postgres.superuser_password not in detail
            await produce(broker, [orjson.dumps(finding(1, target).to_json())])
            postgres.start()
            await until(lambda: role.told("incidents") == 1)
            await until(lambda: role.runtime.health.dependencies["database"].up)
    finally:
        postgres.remove()


async def test_a_sealed_vault_is_said_before_it_is_needed(own_scene, broker, tmp_path):
    target = own_scene.target()
    settings = with_broker(own_scene.settings(target, folder=tmp_path), broker)
    async with running(settings) as role:
        await until(role.runtime.health.ready)
        own_scene.vault.seal()
        await until(lambda: not role.runtime.health.dependencies["vault"].up)
        assert role.runtime.health.dependencies["vault"].detail == "sealed"
        own_scene.vault.unseal()
        await until(lambda: role.runtime.health.dependencies["vault"].up)


async def test_a_page_is_sent_once_when_the_endpoint_comes_back(scene, broker, tmp_path):
    target = scene.target()
    got: list[str] = []
    answers = ["503 Service Unavailable"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(lines["content-length"]))
        status = answers.pop() if answers else "202 Accepted"
        if status.startswith("202"):
            got.append(lines["idempotency-key"])
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hook = Webhook(name="pager", url=Secret(value=SecretStr(f"http://127.0.0.1:{port}/")), min_level="high")
    settings = with_broker(scene.settings(target, folder=tmp_path), broker, notify=(hook,))
    await create_topics(settings)
    await produce(broker, [orjson.dumps(finding(1, target).to_json())])
    async with server, running(settings) as role:
        await until(lambda: got)
        assert role.metric("davylamp_notifications_total", notifier="pager", outcome="retry") == 1
    assert len(set(got)) == len(got)
