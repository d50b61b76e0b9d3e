"""Access logs in formats of the operator's choice are read by detect and by forward, as the settings say."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from config.settings import Role, Settings
from connectors.kafka.client import producer_options
from connectors.kafka.topics import create_topics
from daemon.roles import detect, forward
from daemon.runtime import Health, Runtime

pytestmark = pytest.mark.integration
TEXT = '%START_TIME% caller=%DOWNSTREAM_PEER_URI_SAN% "%REQ(:METHOD)% %REQ(:PATH)%" %RESPONSE_CODE%'
FIELDS = {"ts": "%START_TIME%", "who": "downstream_peer_uri_san", "answer.status": "%RESPONSE_CODE%"}
LINES = (
    b'2026-11-23T10:00:00.000Z caller=spiffe://td/ns/n/sa/s "GET /a" 200',
    b'{"ts":"2026-11-23T10:00:01.000Z","who":"spiffe://td/ns/n/sa/s","answer":{"status":200}}',
)


@pytest.fixture
def formats(settings: Settings, tmp_path: Path) -> Settings:
    """The settings, with two formats and a file as target."""
    target = {"kind": "file", "name": "file", "folder": tmp_path / "siem"}
    given = settings.model_dump() | {
        "istio": {"text_formats": [TEXT], "json_fields": FIELDS},
        "forwarding": {"targets": [target]},
    }
    return Settings.model_validate(given)


async def write(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        for line in LINES:
            await producer.send_and_wait("istio.access", line)
    finally:
        await producer.stop()


async def counted(settings: Settings, role: Role, key: str) -> Counter[str]:
    """Run a role until it has counted both lines under `key`; return its counts of `istio_access`."""
    registry = CollectorRegistry()
    runtime = Runtime(role, Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.create_task({"detect": detect.run, "forward": forward.run}[role](settings, runtime))
    found = Counter[str]()
    try:
        async with asyncio.timeout(40):
            while found[key] < len(LINES) and not task.done():
                await asyncio.sleep(0.05)
                found = Counter(_of_istio(runtime.status()))
    finally:
        runtime.stop.set()
        await asyncio.wait_for(task, 20)
    return found


def _of_istio(status: Mapping[str, Any]) -> Mapping[str, int]:
    """By source, of forward by target and source."""
    counts = status.get("conservation", {})
    return counts.get("file", counts).get("istio_access", {})


async def test_detect_reads_what_the_settings_describe(formats: Settings) -> None:
    await write(formats)
    found = await counted(formats, "detect", "records:read")
    assert (found["events:accepted"], found["events:rejected"], found["records:rejected"]) == (2, 0, 0)


async def test_forward_reads_what_the_settings_describe(formats: Settings) -> None:
    await write(formats)
    found = await counted(formats, "forward", "items:delivered")
    assert (found["items:read"], found["items:unreadable"]) == (2, 0)


async def test_without_the_formats_the_lines_are_rejected(settings: Settings) -> None:
    await write(settings)
    found = await counted(settings, "detect", "records:read")
    assert found["events:accepted"] == 0
