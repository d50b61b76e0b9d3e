"""A header name that is no UTF-8 on real Kafka, which takes it: nobody is stopped by it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson
import pytest
from kafka.expected import counters_in_commits
from kafka.records import CLOUDTRAIL, cloudtrail
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

FORWARDING: Final = {"targets": [{"kind": "file", "name": "file", "folder": "siem"}]}
GROUPS: Final = {"detect": "davylamp-detect", "forward": "davylamp-forward-file"}
SEND: Final = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Raw(str):
    def encode(self, *_):
        return b"\\xff\\xfe"

async def main():
    async with AIOKafkaProducer(bootstrap_servers=sys.argv[1]) as producer:
        await producer.send_and_wait(sys.argv[2], b"{}", partition=0, headers=[(Raw("x"), b"1")])

asyncio.run(main())
"""
"""Only aiokafka without its extensions lets a caller choose the bytes of a name."""


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")


@pytest.mark.claim(
    "a record whose header name is no UTF-8 ends as a dead letter and stops neither detect nor forward"
)
def test_a_header_name_that_is_no_text_stops_nobody(stage: Stage, kafka: KafkaPart) -> None:
    environment = {**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}
    subprocess.run([sys.executable, "-c", SEND, kafka.brokers, CLOUDTRAIL], check=True, env=environment)
    stage.cluster.fill((CLOUDTRAIL, 0, orjson.dumps(cloudtrail(n))) for n in range(50))
    for role in ("detect", "forward"):
        stage.role(role, role, forwarding=FORWARDING).start()

    def counted() -> dict[str, dict[str, int]]:
        return {role: counters_in_commits(stage.cluster, group) for role, group in GROUPS.items()}

    until(lambda: all(counts.get("records:read") == 51 for counts in counted().values()), counted)
    found = counted()
    assert (found["detect"]["records:rejected"], found["detect"]["events:accepted"]) == (1, 50)
    assert (found["forward"]["items:unreadable"], found["forward"]["items:delivered"]) == (1, 50)
