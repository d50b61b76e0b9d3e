"""Canaries on a real broker: sent by schedule, taken once, proven by their header and by nothing else."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from config.settings import Settings
from connectors.kafka.client import producer_options
from connectors.kafka.topics import create_topics
from connectors.sources.canary_record import canary_record
from connectors.sources.catalogue import KINDS
from daemon.roles.detect import run
from detectors.canary.finding import LOST_RULE, RULES
from detectors.canary.proof import HEADER, Slot, prove

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
KEY = "k" * 32
TOPIC = "aws.cloudtrail"


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"canary_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watching = _beside("watching")


@pytest.fixture
def canary_settings(settings: Settings) -> Settings:
    """The shipped rules, and a canary every second that is a minute on its way at most."""
    document = settings.model_dump()
    document["detection"] |= {"builtin_rules": True, "rules": []}
    document["canary"] = {"key": {"value": KEY}, "every_minutes": 1 / 60, "grace_s": 60.0}
    return Settings.model_validate(document)


def quiet(settings: Settings) -> Settings:
    """The same gate, and a schedule that has no slot within the test."""
    return settings.model_copy(
        update={"canary": settings.canary.model_copy(update={"every_minutes": 1440.0})}
    )


async def put(
    settings: Settings, value: bytes, *headers: tuple[str, bytes], at: float, partition: int
) -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        stamp = int(at * 1000)
        await producer.send_and_wait(
            TOPIC, value, partition=partition, timestamp_ms=stamp, headers=list(headers)
        )
    finally:
        await producer.stop()


async def findings(settings: Settings) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in await watching.everything(settings, "davylamp.findings")]


def counted(runtime: object, source: str = "cloudtrail") -> dict[str, int]:
    return runtime.status()["conservation"].get(source, {})  # type: ignore[attr-defined]


async def test_a_canary_of_each_source_is_found_by_its_own_rule_and_feeds_nothing(
    canary_settings: Settings,
) -> None:
    await create_topics(canary_settings, raw=True)
    async with watching.detecting(canary_settings) as runtime:
        await watching.until(
            lambda: all(counted(runtime, kind).get("canary:accepted", 0) >= 1 for kind in KINDS)
        )
        status = runtime.status()
        assert status["violations"] == []
        assert "canary_due" not in counted(runtime)
        beats = runtime.registry.get_sample_value(
            "davylamp_canary_finding_seconds_count", {"source": "vault_audit"}
        )
        assert beats and beats >= 1
        await asyncio.sleep(1.2)
    found = await findings(canary_settings)
    assert {one["rule_id"] for one in found} == set(RULES.values())
    assert len({one["finding_id"] for one in found}) == len(found)
    assert {one["level"] for one in found} == {"informational"}
    for one in found:
        labels = one["labels"]
        assert isinstance(labels, dict) and labels["canary"] == one["source"]
        assert float(labels["canary_appended"]) - float(labels["canary_due"]) < 2
    raw = await watching.everything(canary_settings, TOPIC)
    flows = [
        orjson.loads(record.value) for record in await watching.everything(canary_settings, "davylamp.flows")
    ]
    assert {one["kind"] for one in flows} == {"heartbeat"}
    assert flows[-1]["partitions"][f"{TOPIC}/{raw[0].partition}"]["max_event_time"] is None
    matches = await watching.everything(canary_settings, "davylamp.matches")
    assert {orjson.loads(record.value)["kind"] for record in matches} == {"heartbeat"}


async def test_what_is_no_canary_is_an_ordinary_event_and_its_refusal_is_counted(
    canary_settings: Settings,
) -> None:
    settings = quiet(canary_settings)
    await create_topics(settings, raw=True)
    due = int(time.time()) - 10
    slot = Slot("cloudtrail", TOPIC, 1, due)
    value, now = canary_record(slot), float(due + 1)
    proof = (HEADER, prove(KEY.encode(), slot, value))
    attack = value.replace(b"GetCallerIdentity", b"StopLogging").replace(b"sts.", b"cloudtrail.")
    attempts = [
        (value, (proof,), now, 1),  # the canary itself
        (value, (proof,), now, 1),  # again
        (value, (proof,), now, 2),  # elsewhere
        (attack, (proof,), now, 1),  # an attack under its header
        (attack, ((HEADER, b"\xff\x00"),), now, 1),
        (attack, (proof, proof), now, 1),
        (value, ((HEADER, prove(b"x" * 32, slot, value)),), now, 1),  # another key
    ]
    late = Slot("cloudtrail", TOPIC, 1, due + 1)
    body = canary_record(late)
    early = (HEADER, prove(KEY.encode(), late, body))
    attempts += [(body, (early,), due + 0.5, 1), (body, (early,), due + 62.0, 1)]
    for sent, headers, at, partition in attempts:
        await put(settings, sent, *headers, at=at, partition=partition)
    async with watching.detecting(settings) as runtime:
        await watching.until(lambda: counted(runtime).get("records:read") == len(attempts))
        counts = counted(runtime)
        assert runtime.status()["violations"] == []
    assert {name: count for name, count in counts.items() if name.startswith("canary:")} == {
        "canary:carried": 9,
        "canary:accepted": 1,
        "canary:refused:used": 1,
        "canary:refused:wrong": 3,
        "canary:refused:malformed": 2,
        "canary:refused:not_due": 2,
    }
    assert counts["events:accepted"] + counts["events:repeated"] == 9
    found = await findings(settings)
    assert sum("canary" in one.get("labels", {}) for one in found) == 1
    stopped = [one for one in found if "trail" in str(one["title"]).lower()]
    assert len(stopped) == 3, "each attack under a header of ours is found"


async def test_a_slot_is_accepted_once_also_after_a_restart(canary_settings: Settings) -> None:
    settings = quiet(canary_settings)
    await create_topics(settings, raw=True)
    due = int(time.time()) - 5
    slot = Slot("cloudtrail", TOPIC, 3, due)
    value = canary_record(slot)
    proof = (HEADER, prove(KEY.encode(), slot, value))
    for read in (1, 2):
        await put(settings, value, proof, at=due + 1.0, partition=3)
        async with watching.detecting(settings) as runtime:
            await watching.until(lambda n=read: counted(runtime).get("records:read") == n)
            counts = counted(runtime)
    assert counts["canary:accepted"] == counts["canary:refused:used"] == 1


async def test_a_canary_that_was_read_and_not_taken_is_reported_lost(canary_settings: Settings) -> None:
    """This worker's clock runs two minutes ahead of the append times: what it sends is not due yet."""
    await create_topics(canary_settings, raw=True)
    runtime = watching.runtime_of()
    runtime.clock = lambda: time.time() + 120
    role = asyncio.create_task(run(canary_settings, runtime))
    value = runtime.registry.get_sample_value
    try:
        await watching.until(
            lambda: (value("davylamp_canary_lost_total", {"source": "cloudtrail"}) or 0) >= 1
        )
    finally:
        runtime.stop.set()
        await asyncio.wait_for(role, 10)
    lost = [one for one in await findings(canary_settings) if one["rule_id"] == LOST_RULE]
    assert {one["level"] for one in lost} == {"high"}
    assert all("refused: not_due" in str(one["explain"]) for one in lost)
    assert len({one["finding_id"] for one in lost}) == len(lost)
