"""Reloading the running daemon: real processes, signals, requests, volumes; nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from config.loader import load
from config.settings import Settings
from connectors.kafka.topics import FINDINGS, create_topics, partitions_of
from daemon.demo.parts.ports import free_port

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
TOPIC = "aws.cloudtrail"
NAMES = ("StopLogging", "DeleteTrail")
WAIT_S = 30.0
Text = Callable[..., str]


class Daemon:
    """A process of the daemon, its configuration file and its ports."""

    def __init__(self, folder: Path, tree: dict[str, Any]) -> None:
        self.config = folder / "davylamp.yaml"
        self._log = folder / "daemon.log"
        self.ports = {"detect": free_port(), "correlate": free_port()}
        tree["operation"] |= {"health_ports": self.ports}
        self.write(tree)
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.config.write_text(yaml.safe_dump(tree), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        return load(self.config)

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def start(self, *command: str) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, *command], stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(WAIT_S)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def status(self, role: str = "detect") -> dict[str, Any]:
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.ports[role]}/status")
            except httpx.TransportError:
                return {}
        return answer.json()

    async def becomes(self, holds: Callable[[dict[str, Any]], object], role: str = "detect") -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if holds(await self.status(role)):
                    return
                await asyncio.sleep(0.05)

    async def says(self, text: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if text in self.said:
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
def daemon(tmp_path: Path, quick_kafka: dict[str, object], volume: Any) -> Iterator[Daemon]:
    tree: dict[str, Any] = {
        "state_dir": str(tmp_path / "state"),
        "kafka": quick_kafka,
        "detection": {"builtin_rules": False, "rules": [str(volume.folder)], "batch_records": 100},
        "operation": {"reload_watch_s": 0.2},
    }
    made = Daemon(tmp_path, tree)
    yield made
    made.kill()


class Flow:
    """Events into partition 0 without a pause; names take turns, the offset is the number."""

    def __init__(self) -> None:
        self.count = 0

    @asynccontextmanager
    async def into(self, settings: Settings, rate: int) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka.brokers))
        await producer.start()
        writing = asyncio.create_task(self._write(producer, rate))
        try:
            yield
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await producer.stop()

    async def _write(self, producer: AIOKafkaProducer, rate: int) -> None:
        while True:
            for _ in range(rate // 20):
                number, self.count = self.count, self.count + 1
                await producer.send(TOPIC, orjson.dumps(event(number)), partition=0)
            await asyncio.sleep(0.05)


def event(number: int) -> dict[str, object]:
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": "2026-05-28T20:26:40Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": NAMES[number % 2],
        "awsRegion": "eu-west-1",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
    }


async def findings(settings: Settings) -> dict[str, list[int]]:
    """Return, by the last digit of the rule's id, the numbers of the events that it fired on, sorted."""
    consumer = AIOKafkaConsumer(bootstrap_servers=list(settings.kafka.brokers), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places: list[TopicPartition] = await partitions_of(settings.kafka, [FINDINGS])
        consumer.assign(places)
        found: dict[str, list[int]] = {}
        empty = 0
        while empty < 3:
            polled = await consumer.getmany(timeout_ms=200)
            empty = 0 if polled else empty + 1
            for record in (record for records in polled.values() for record in records):
                finding = orjson.loads(record.value or b"")
                found.setdefault(finding["rule_id"][-1], []).append(int(finding["event_id"][-12:]))
        return {rule: sorted(numbers) for rule, numbers in found.items()}
    finally:
        await consumer.stop()


async def counted(daemon: Daemon, count: int) -> None:
    """Wait until so many events are accounted for."""
    await daemon.becomes(
        lambda status: status.get("conservation", {}).get("cloudtrail", {}).get("events:accepted", 0) == count
    )


async def test_a_rule_added_while_events_flow_fires_and_nothing_is_lost_or_doubled(
    daemon: Daemon, volume: Any, new_rule: Text
) -> None:
    settings, flow = daemon.settings, Flow()
    one = new_rule(1, NAMES[0])
    await create_topics(settings, raw=True)
    daemon.start("-m", "daemon", "run", "detect", "--config", str(daemon.config))
    await daemon.becomes(lambda status: status.get("ready"))
    first = (await daemon.status())["reload"]["rules"]["hash"]
    async with flow.into(settings, 1000):
        await daemon.becomes(lambda status: status["conservation"].get("cloudtrail"))
        volume.put({"one.yml": one, "two.yml": new_rule(2, NAMES[1])})
        asked = asyncio.get_running_loop().time()
        await daemon.becomes(lambda status: status["reload"]["rules"]["hash"] != first)
        took = asyncio.get_running_loop().time() - asked
        for number in range(12):
            extra = {f"{n}.yml": new_rule(n, f"Other{number}") for n in range(3, 5 + number)}
            volume.put({"one.yml": one, "two.yml": new_rule(2, NAMES[1]), **extra})
            daemon.signal(signal.SIGHUP)
            await asyncio.sleep(0.15)
    await counted(daemon, flow.count)
    status = await daemon.status()
    assert status["violations"] == [] and status["ready"]
    assert daemon.stop() == 0
    found = await findings(settings)
    print(f"in force {took:.2f} s after the folder changed; {flow.count} events")
    assert took < 5
    assert found["1"] == list(range(0, flow.count, 2)), "the rule that stayed missed none, said none twice"
    begins = found["2"][0]
    assert begins > 0 and found["2"] == list(range(begins, flow.count, 2)), "from one place on, without a gap"


async def test_a_hangup_of_the_supervisor_reloads_every_role_and_names_what_needs_a_restart(
    daemon: Daemon, volume: Any, new_rule: Text
) -> None:
    daemon.tree["operation"]["reload_watch_s"] = 0
    daemon.write(daemon.tree)
    daemon.start(str(HERE / "supervised.py"), str(daemon.config), "detect", "correlate")
    for role in ("detect", "correlate"):
        await daemon.becomes(lambda status: status.get("ready"), role)
    pids = [(await daemon.status(role))["pid"] for role in ("detect", "correlate")]
    before = (await daemon.status())["reload"]["rules"]["hash"]
    volume.put({"one.yml": new_rule(1, NAMES[0]), "two.yml": new_rule(2, NAMES[1])})
    await asyncio.sleep(1)
    assert (await daemon.status())["reload"]["rules"]["hash"] == before, "the watch is off"
    daemon.write(
        {**daemon.tree, "site": "other", "detection": {**daemon.tree["detection"], "repeated_ids": 7}}
    )
    daemon.signal(signal.SIGHUP)
    await daemon.becomes(lambda status: status["reload"]["rules"]["hash"] != before)
    await daemon.says("settings changed that need a restart")
    assert "detection.repeated_ids" in daemon.said and "site" in daemon.said
    after = (await daemon.status())["reload"]["rules"]["hash"]
    await daemon.becomes(lambda status: status["reload"]["rules"]["hash"] == after, "correlate")
    daemon.config.write_text("site: [", encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    await daemon.says("configuration refused, the one in force stays")
    assert [(await daemon.status(role))["pid"] for role in ("detect", "correlate")] == pids
    assert daemon.stop() == 0


async def test_a_request_reloads_and_a_forged_one_does_not(
    daemon: Daemon, volume: Any, new_rule: Text
) -> None:
    daemon.tree["operation"]["reload_watch_s"] = 0
    daemon.write(daemon.tree)
    daemon.start("-m", "daemon", "run", "detect", "--config", str(daemon.config))
    await daemon.becomes(lambda status: status.get("ready"))
    volume.put({"one.yml": new_rule(1, NAMES[0]), "two.yml": new_rule(2, NAMES[1])})
    url = f"http://127.0.0.1:{daemon.ports['detect']}/reload"
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        for forged in (
            {"Origin": "http://127.0.0.1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "davylamp.example"},
            {"X-Forwarded-For": "203.0.113.9"},
        ):
            assert (await client.post(url, headers=forged)).status_code == 403, forged
        assert (await client.get(url)).status_code == 405
        answer = await client.post(url)
        assert answer.status_code == 200
        assert answer.json()["parts"]["rules"]["added"] == ["33333333-3333-4333-8333-000000000002"]
        assert answer.json()["needs_restart"] == []
        daemon.write({**daemon.tree, "site": "other"})
        assert (await client.post(url)).json()["needs_restart"] == ["site"]
        volume.put({"one.yml": new_rule(1, NAMES[0], broken=True)})
        answer = await client.post(url)
        assert answer.status_code == 422 and "one.yml" in answer.json()["parts"]["rules"]["problems"][0]
    assert (await daemon.status())["ready"], "an older set in force is no reason not to work"
    assert daemon.stop() == 0


async def test_a_hangup_while_a_role_starts_does_not_end_it(daemon: Daemon) -> None:
    daemon.start(str(HERE / "supervised.py"), str(daemon.config), "detect")
    await asyncio.sleep(1.5)
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
        await asyncio.sleep(0.05)
    await daemon.becomes(lambda status: status.get("ready"))
    assert "role ended" not in daemon.said
    assert daemon.stop() == 0
