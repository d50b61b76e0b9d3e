"""forward on real Kafka: every document arrives and is counted once, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from kafka.cluster import Record
from kafka.expected import counters_in_commits
from kafka.records import CLOUDTRAIL, cloudtrail
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

GROUP = "davylamp-forward-file"
FORWARDING = {"namespace": "default", "targets": [{"kind": "file", "name": "file", "folder": "siem"}]}


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")


def events(numbers: range) -> list[Record]:
    return [(CLOUDTRAIL, n % 4, orjson.dumps(cloudtrail(n))) for n in numbers]


@pytest.mark.claim("forward delivers every document and counts it once after kill -9 in the middle")
def test_every_document_is_delivered_and_counted_once(stage: Stage) -> None:
    def delivered() -> int:
        return counters_in_commits(stage.cluster, GROUP).get("items:delivered", 0)

    stage.cluster.fill(events(range(8000)))
    worker = stage.role("forward", "first", forwarding=FORWARDING).start()
    worker.wait_for(lambda: delivered() > 0)
    worker.kill()
    assert delivered() < 8000, "the kill fell into the middle"
    worker = stage.role("forward", "second", forwarding=FORWARDING).start()
    stage.cluster.fill(events(range(8000, 9000)))
    until(lambda: delivered() == 9000, lambda: counters_in_commits(stage.cluster, GROUP))
    assert worker.status()["violations"] == []
    worker.stop()
    written = (stage.folder / "state" / "siem").glob("logs-davylamp.events-default*.jsonl")
    ids = {orjson.loads(line)["event"]["id"] for file in written for line in file.read_bytes().splitlines()}
    assert ids == {f"00000000-0000-4000-8000-{n:012d}" for n in range(9000)}
