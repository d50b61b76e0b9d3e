"""The detect role on a real broker: what it writes, what it counts, what it survives."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from aiokafka.structs import TopicPartition
from kafka.expected import Expected
from kafka.records import START, cloudtrail, mixture
from prometheus_client import generate_latest

from config.settings import Settings
from connectors.kafka.checkpoint_file import CheckpointFile
from connectors.kafka.conservation import detect_violations, total
from connectors.kafka.topics import create_topics
from daemon.demo.parts.broker import BrokerPart
from daemon.roles.detect import GROUP

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"detect_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watching = _beside("watching")


async def checkpointed(settings: Settings) -> dict[str, int]:
    """Return the sum of what the group has written down."""
    tps = [TopicPartition(topic, n) for topic in settings.kafka.topics.kinds() for n in range(4)]
    held = await CheckpointFile(settings.state_dir, GROUP).load(dict.fromkeys(tps))
    return total(checkpoint.counters for checkpoint in held.values() if checkpoint)


async def final_flows(settings: Settings) -> dict[tuple[object, ...], int]:
    """Return the last record of each flow id as (topic, partition, block, subject, peer) -> count."""
    last: dict[str, dict[str, Any]] = {}
    for record in await watching.everything(settings, "davylamp.flows"):
        flow = orjson.loads(record.value)
        if flow["kind"] == "flow":
            last[flow["flow_id"]] = flow
    return {
        (f["topic"], f["partition"], f["block"], tuple(f["subject"]), tuple(f["peer"])): f["count"]
        for f in last.values()
    }


async def found(settings: Settings) -> list[str]:
    """Return the ids of the findings of rules, as often as they were written."""
    findings = [
        orjson.loads(record.value) for record in await watching.everything(settings, "davylamp.findings")
    ]
    return [finding["finding_id"] for finding in findings if finding["rule_id"] != "davylamp-alias"]


def start_worker(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(HERE / "detect_worker.py"), str(path)])


def read_all(runtime: object, expected: Expected) -> bool:
    counted = runtime.status()["conservation"]  # type: ignore[attr-defined]
    return not expected.difference(total(counted.values()))


async def test_records_become_findings_flows_dead_letters_and_counts(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    records = list(mixture(3000))
    expected = Expected(settings, records)
    await watching.fill(settings, records)
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: read_all(runtime, expected))
        assert runtime.health.ready()
        status = runtime.status()
        assert status["violations"] == []
        assert status["lost_before_read"] == {}
        metrics = generate_latest(runtime.registry).decode()
        await asyncio.sleep(1.5)
    ids = await found(settings)
    assert set(ids) == expected.findings and len(ids) == len(expected.findings) > 50
    assert await final_flows(settings) == expected.flows
    letters = await watching.everything(settings, "davylamp.dlq")
    headers = [dict(letter.headers) for letter in letters]
    assert {header["origin"].decode() for header in headers} == expected.letters
    assert {header["reason"] for header in headers} == {b"not_utf8", b"unknown_shape"}
    assert set(headers[0]) == {"reason", "role", "target", "source", "origin", "attempts", "detail"}
    assert 'davylamp_detect_records_total{outcome="read",reason="",source="cloudtrail",target=""}' in metrics


async def test_a_heartbeat_reaches_every_partition_with_places_and_times(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    await watching.fill(settings, [("aws.cloudtrail", 1, orjson.dumps(cloudtrail(5)))])
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: len(runtime.status()["lag"]) == 16)
        await asyncio.sleep(2.5)
    for topic in ("davylamp.matches", "davylamp.flows"):
        beats = [
            (record.partition, orjson.loads(record.value))
            for record in await watching.everything(settings, topic)
            if orjson.loads(record.value)["kind"] == "heartbeat"
        ]
        assert {partition for partition, _ in beats} == {0, 1, 2, 3}
        last = beats[-1][1]
        assert last["partition_counts"]["aws.cloudtrail"] == 4
        place = last["partitions"]["aws.cloudtrail/1"]
        assert place["kind"] == "cloudtrail" and place["through_offset"] == 1 and place["idle"] is True
        assert place["max_event_time"] == pytest.approx(START, abs=1)
        assert place["append_time"] > START


async def test_kill_9_at_random_points_loses_nothing_and_counts_nothing_twice(
    settings: Settings, tmp_path: Path
) -> None:
    await create_topics(settings, raw=True)
    records = list(mixture(6000, seed=2))
    expected = Expected(settings, records)
    await watching.fill(settings, records)
    slow = settings.model_copy(
        update={"detection": settings.detection.model_copy(update={"batch_records": 40})}
    )
    path = tmp_path / "settings.json"
    path.write_text(slow.model_dump_json())
    draw = random.Random(3)
    progress = 0
    for _ in range(3):
        worker = start_worker(path)
        try:
            async with asyncio.timeout(30):
                while True:
                    read = (await checkpointed(settings)).get("records:read", 0)
                    if read > progress:
                        break
                    await asyncio.sleep(0.01)
            await asyncio.sleep(draw.random() * 0.2)
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        progress = (await checkpointed(settings)).get("records:read", 0)
    assert 0 < progress < 6000, "the kills fell into the middle"
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: read_all(runtime, expected))
        assert runtime.status()["violations"] == []
    counters = await checkpointed(settings)
    assert not expected.difference(counters) and detect_violations(counters) == []
    assert set(await found(settings)) == expected.findings
    assert await final_flows(settings) == expected.flows
    origins = {
        dict(record.headers)["origin"].decode()
        for record in await watching.everything(settings, "davylamp.dlq")
    }
    assert origins == expected.letters


async def test_output_that_is_not_confirmed_blocks_and_nothing_is_skipped(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    records = list(mixture(4000, seed=5))
    expected = Expected(settings, records)
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: len(runtime.status()["lag"]) == 16)
        await watching.fill(settings, records[:2000])
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await watching.until(lambda: not runtime.health.ready())
            read = total(runtime.status()["conservation"].values()).get("records:read", 0)
            await asyncio.sleep(2)
            assert total(runtime.status()["conservation"].values()).get("records:read", 0) == read
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await watching.fill(settings, records[2000:])
        await watching.until(lambda: read_all(runtime, expected), 60)
        await watching.until(runtime.health.ready)
        assert runtime.status()["lost_before_read"] == {}
    assert set(await found(settings)) == expected.findings
    assert await final_flows(settings) == expected.flows


async def test_two_workers_share_the_partitions(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    records = list(mixture(4000, seed=4))
    expected = Expected(settings, records)
    async with watching.detecting(settings) as one:
        await watching.until(lambda: len(one.status()["lag"]) == 16)
        await watching.fill(settings, records[:1500])
        async with watching.detecting(settings) as two:
            await watching.fill(settings, records[1500:])
            await watching.until(lambda: len(one.status()["lag"]) == 8 and len(two.status()["lag"]) == 8)
            await watching.until(
                lambda: (
                    not expected.difference(
                        total(
                            [*one.status()["conservation"].values(), *two.status()["conservation"].values()]
                        )
                    )
                )
            )
    assert set(await found(settings)) == expected.findings
    assert await final_flows(settings) == expected.flows


async def test_a_topic_that_was_lost_is_a_critical_finding_and_shows_in_status(
    settings: Settings, broker: BrokerPart
) -> None:
    await create_topics(settings, raw=True)
    await watching.fill(settings, [("aws.cloudtrail", 0, orjson.dumps(cloudtrail(n))) for n in range(9)])
    async with watching.detecting(settings) as runtime:
        await watching.until(
            lambda: runtime.status()["conservation"].get("cloudtrail", {}).get("records:read") == 9
        )
        broker.kill()
        await watching.until(lambda: not runtime.health.ready())
        assert "kafka" in runtime.health.dependencies
        broker.start()
        await create_topics(settings, raw=True)
        everywhere = {f"{topic}/{n}": 1 for topic in settings.kafka.topics.kinds() for n in range(4)}
        await watching.until(lambda: runtime.status()["lost_before_read"] == everywhere)
        await watching.until(runtime.health.ready)
        await watching.fill(settings, [("aws.cloudtrail", 0, orjson.dumps(cloudtrail(20)))])
        await watching.until(
            lambda: runtime.status()["conservation"].get("cloudtrail", {}).get("records:read") == 10
        )
    findings = [orjson.loads(r.value) for r in await watching.everything(settings, "davylamp.findings")]
    told = [f for f in findings if f["rule_id"] == "davylamp-lost-before-read"]
    assert len(told) == len(everywhere) and {f["level"] for f in told} == {"critical"}
    assert {f["source"] for f in told} == set(settings.kafka.topics.kinds().values())
