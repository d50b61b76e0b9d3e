"""The role on a real broker: what it finds, what it keeps over restarts, kills and rebalances."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import CollectorRegistry

from config.settings import Settings
from connectors.kafka.topics import FINDINGS, FLOWS, MATCHES, create_topics
from daemon.demo.parts.broker import BrokerPart
from daemon.roles.correlate import run
from daemon.roles.correlate.application import APP_ID
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.rewinding import rewind
from daemon.runtime import Health, Runtime

pytestmark = pytest.mark.integration
WORKER = Path(__file__).with_name("correlate_worker.py")
TIMES = (100.0, 110.0, 130.0, 155.0, 300.0, 305.0, 306.0, 420.0)
WAIT_S = 20.0


class Wire:
    """The producer's and the reader's side of the internal topics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka.brokers))
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=list(settings.kafka.brokers), fetch_max_wait_ms=50, enable_auto_commit=False
        )
        self.findings: list[dict[str, Any]] = []
        self.keys: list[bytes | None] = []

    async def open(self) -> None:
        await create_topics(self._settings)
        await self._producer.start()
        await self._reader.start()
        partitions = [TopicPartition(FINDINGS, p) for p in range(self._settings.kafka.internal_partitions)]
        self._reader.assign(partitions)
        await self._reader.seek_to_beginning(*partitions)

    async def close(self) -> None:
        await self._reader.stop()
        await self._producer.stop()

    async def feed(self, records: Iterable[Record], topic: str = MATCHES) -> None:
        for record in records:
            await self._producer.send_and_wait(
                topic,
                record.value,
                record.key,
                partition=record.partition,
                timestamp_ms=int(record.time * 1000),
            )

    async def read_until(self, enough: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Read findings until `enough`; fails after `timeout_s`."""
        ends = time.monotonic() + timeout_s
        while not enough():
            assert time.monotonic() < ends, f"only {len(self.findings)} findings: {self.findings}"
            await self._read()

    async def quiet(self, seconds: float = 2.0) -> None:
        """Read for a while whatever comes."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await self._read()

    def finals(self) -> list[dict[str, Any]]:
        return [f for f in self.findings if f["status"] == "final"]

    def groups(self) -> set[tuple[str, ...]]:
        return {tuple(sorted(f["event_ids"])) for f in self.finals()}

    async def committed(self, topic: str = MATCHES) -> dict[int, int | None]:
        looker = AIOKafkaConsumer(
            bootstrap_servers=list(self._settings.kafka.brokers), group_id=APP_ID, enable_auto_commit=False
        )
        await looker.start()
        try:
            return {
                p: await looker.committed(TopicPartition(topic, p))
                for p in range(self._settings.kafka.internal_partitions)
            }
        finally:
            await looker.stop()

    async def _read(self) -> None:
        for records in (await self._reader.getmany(timeout_ms=100)).values():
            self.keys += [record.key for record in records]
            self.findings += [orjson.loads(record.value or b"") for record in records]


@pytest.fixture
async def wire(role_settings: Settings) -> AsyncIterator[Wire]:
    made = Wire(role_settings)
    await made.open()
    yield made
    await made.close()


class Role:
    """The role inside this process."""

    def __init__(self, settings: Settings) -> None:
        registry = CollectorRegistry()
        health = Health(time.time, registry)
        self.runtime = Runtime("correlate", health, registry, time.time, asyncio.Event())
        self._task = asyncio.create_task(run(settings, self.runtime))

    async def ready(self) -> None:
        await self.becomes(ready=True)

    async def becomes(self, *, ready: bool) -> None:
        ends = time.monotonic() + WAIT_S
        while self.runtime.health.ready() is not ready:
            assert time.monotonic() < ends, f"ready is not {ready}"
            assert not self._task.done(), self._task
            await asyncio.sleep(0.02)

    async def stop(self) -> float:
        """Stop it gracefully; return the seconds that it took."""
        began = time.monotonic()
        self.runtime.stop.set()
        await asyncio.wait_for(self._task, WAIT_S)
        return time.monotonic() - began


class Worker:
    """The role in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    async def start(cls, settings: Settings, folder: Path, *words: str) -> Worker:
        """Start a worker; with `refuse` its publisher fails, and it is not waited for."""
        path, ready, log = folder / "settings.json", folder / "ready", folder / "worker.log"
        path.write_text(settings.model_dump_json(), encoding="utf-8")
        ready.unlink(missing_ok=True)
        with log.open("ab") as errors:
            command = [sys.executable, str(WORKER), str(path), str(ready), *words]
            worker = cls(await asyncio.to_thread(subprocess.Popen, command, stderr=errors, stdout=errors))
        ends = time.monotonic() + WAIT_S
        while not words and not ready.exists():
            assert time.monotonic() < ends, log.read_text(encoding="utf-8")
            await asyncio.sleep(0.02)
        return worker

    async def end(self, number: int | None = signal.SIGTERM) -> int:
        """Send a signal, if any, and return the exit code."""
        if number is not None:
            self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, WAIT_S)


def burst(records: Any, user: str, partition: int, order: Iterable[float] = TIMES) -> list[Record]:
    return [records.match(at, f"{user}-{at:.0f}", user=user, partition=partition) for at in order]


def expected(user: str) -> set[tuple[str, ...]]:
    return {tuple(sorted(f"{user}-{at:.0f}" for at in at_times)) for at_times in (TIMES[:4], TIMES[4:7])}


def end_of_time(records: Any, at: float = 9000.0) -> list[Record]:
    return [records.heartbeat(at, partition=partition) for partition in range(4)]


async def test_finals_are_the_same_for_any_order_of_arrival_and_with_duplicates(
    role_settings: Settings, wire: Wire, records: Any
) -> None:
    role = Role(role_settings)
    await wire.feed(burst(records, "a", 0))
    await wire.feed(burst(records, "b", 1, reversed(TIMES)))
    await wire.feed(burst(records, "c", 2, [*TIMES[::2], *TIMES[1::2], *TIMES[:3]]))
    await wire.feed(end_of_time(records))
    await wire.read_until(lambda: len(wire.finals()) >= 6)
    await wire.quiet(1.0)
    assert wire.groups() == expected("a") | expected("b") | expected("c")
    assert len(wire.finals()) == 6
    assert set(wire.keys) == {b"k8s_user:a", b"k8s_user:b", b"k8s_user:c"}
    counts: Any = role.runtime.status()["counts"]
    assert counts["repeated"] == 3
    assert counts["findings"]["final"] == 6
    assert await role.stop() < 10


async def test_a_graceful_restart_goes_on_from_the_changelog(
    role_settings: Settings, wire: Wire, records: Any
) -> None:
    log = burst(records, "a", 3)
    role = Role(role_settings)
    await wire.feed(log[:2])
    await role.ready()
    await _until_committed(wire, 3, 2)
    await role.stop()
    role = Role(role_settings)
    await wire.feed([*log[2:], *end_of_time(records)])
    await wire.read_until(lambda: len(wire.finals()) >= 2)
    await role.stop()
    assert wire.groups() == expected("a")


async def test_reading_everything_again_says_nothing_new(
    role_settings: Settings, wire: Wire, records: Any
) -> None:
    await wire.feed([*burst(records, "a", 0), *burst(records, "b", 1), *end_of_time(records)])
    role = Role(role_settings)
    await wire.read_until(lambda: len(wire.finals()) >= 4)
    await role.stop()
    first = {f["finding_id"] for f in wire.findings}
    await rewind(role_settings)
    role = Role(role_settings)
    await role.ready()
    async with asyncio.timeout(30):
        while role.runtime.status()["counts"]["matches"] < 16:  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.05)
    await wire.quiet(3.0)
    counts: Any = role.runtime.status()["counts"]
    await role.stop()
    assert counts["matches"] == 16, "it was read again, once"
    assert {f["finding_id"] for f in wire.findings} == first


async def test_a_first_seen_edge_is_found_after_learning(
    role_settings: Settings, wire: Wire, new_flow: Callable[[float, str, int], Record]
) -> None:
    role = Role(role_settings)
    await wire.feed([new_flow(0, "a.ns.svc.cluster.local", 0), new_flow(2, "203.0.113.9", 1)], FLOWS)
    await wire.read_until(lambda: len(wire.findings) >= 1)
    await role.stop()
    assert [f["rule_id"] for f in wire.findings] == ["davylamp-first-seen-mesh-edge"]
    assert "203.0.113.9" in wire.findings[0]["explain"]


async def test_a_refused_finding_ends_the_process_with_70_and_acknowledges_nothing(
    role_settings: Settings, wire: Wire, records: Any, tmp_path: Path
) -> None:
    await wire.feed([*burst(records, "a", 0), *end_of_time(records)])
    worker = await Worker.start(role_settings, tmp_path, "refuse")
    assert await worker.end(None) == 70
    assert (await wire.committed())[0] in (None, 0, -1)
    worker = await Worker.start(role_settings, tmp_path)
    await wire.read_until(lambda: len(wire.finals()) >= 2)
    assert wire.groups() == expected("a")
    assert await worker.end() == 0


@pytest.mark.parametrize("pause_s", [0.0, 0.4, 1.3])
async def test_a_killed_worker_is_replaced_and_the_finals_are_the_same(
    role_settings: Settings, wire: Wire, records: Any, tmp_path: Path, pause_s: float
) -> None:
    log = list(itertools.chain(*(burst(records, user, place) for place, user in enumerate("abcd"))))
    worker = await Worker.start(role_settings, tmp_path)
    await wire.feed(log[:11])
    await asyncio.sleep(pause_s)
    assert await worker.end(signal.SIGKILL) == -signal.SIGKILL
    worker = await Worker.start(role_settings, tmp_path)
    await wire.feed([*log[11:], *end_of_time(records)])
    wanted = expected("a") | expected("b") | expected("c") | expected("d")
    await wire.read_until(lambda: wire.groups() >= wanted)
    await worker.end()
    assert wire.groups() == wanted


async def test_two_workers_share_the_partitions_and_find_the_same(
    role_settings: Settings, wire: Wire, records: Any, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    log = list(itertools.chain(*(burst(records, user, place) for place, user in enumerate("abcd"))))
    one = await Worker.start(role_settings, tmp_path / "one")
    await wire.feed(log[::3])
    two = await Worker.start(role_settings, tmp_path / "two")
    await wire.feed(log[1::3])
    assert await one.end() == 0
    await wire.feed([*log[2::3], *end_of_time(records)])
    wanted = expected("a") | expected("b") | expected("c") | expected("d")
    await wire.read_until(lambda: wire.groups() >= wanted)
    assert await two.end() == 0
    assert wire.groups() == wanted


async def test_a_frozen_broker_is_said_and_the_work_goes_on(
    role_settings: Settings, wire: Wire, records: Any, broker: BrokerPart
) -> None:
    role = Role(role_settings)
    await role.ready()
    log = burst(records, "a", 0)
    await wire.feed(log[:4])
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        await role.becomes(ready=False)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    await role.becomes(ready=True)
    await wire.feed([*log[4:], *end_of_time(records)])
    await wire.read_until(lambda: len(wire.finals()) >= 2)
    await role.stop()
    assert wire.groups() == expected("a")


async def test_it_listens_on_no_port_and_gives_its_first_result_quickly(
    role_settings: Settings, wire: Wire, records: Any
) -> None:
    began = time.monotonic()
    role = Role(role_settings)
    await wire.feed([*burst(records, "a", 0), *end_of_time(records)])
    await wire.read_until(lambda: bool(wire.findings))
    took = time.monotonic() - began
    print(f"first result after {took:.1f} s")
    assert _listening() == set()
    assert await role.stop() < 10


async def _until_committed(wire: Wire, partition: int, offset: int) -> None:
    ends = time.monotonic() + WAIT_S
    while (await wire.committed())[partition] != offset:
        assert time.monotonic() < ends, "not committed"
        await asyncio.sleep(0.1)


def _listening() -> set[str]:
    """Return the local addresses that this process listens on (Linux)."""
    mine = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            mine.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}
