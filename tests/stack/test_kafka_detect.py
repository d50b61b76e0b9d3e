"""detect on real Kafka: counters in the commits' metadata stay exact whatever is killed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from kafka.cluster import Record
from kafka.expected import Expected, counters_in_commits, last_flows, letter_origins, rule_findings
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail, mixture
from kafka.role_child import RoleChild
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

from connectors.kafka.conservation import detect_violations

GROUP = "davylamp-detect"
AFTER_A_RESTART_S = 120.0
"""A few seconds on a quiet machine; the broker waits for its own dead session, and loads its groups."""


class DetectStage(Stage):
    """What detect has counted and written."""

    def detect(self, name: str = "detect", batch_records: int = 100) -> RoleChild:
        return self.role("detect", name, batch_records=batch_records)

    def counters(self) -> dict[str, int]:
        return counters_in_commits(self.cluster, GROUP)

    def wait_counted(self, expected: Expected, timeout_s: float = 40.0) -> None:
        until(
            lambda: not expected.difference(self.counters()),
            lambda: expected.difference(self.counters()),
            timeout_s,
        )

    def assert_all_written(self, expected: Expected) -> None:
        """Findings, flows and dead letters are those of one reading, whatever was read twice on the way."""
        assert set(rule_findings(self.cluster)) == expected.findings
        assert last_flows(self.cluster) == expected.flows
        assert letter_origins(self.cluster) == expected.letters


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[DetectStage]:
    with ExitStack() as stack:
        yield DetectStage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")


@pytest.mark.claim(
    "detect's counters, kept in the commits' metadata, are exact after kill -9 at random points"
)
def test_counters_in_commit_metadata_survive_kill_9(stage: DetectStage) -> None:
    records = list(mixture(6000, seed=2))
    expected = Expected(stage.settings, records)
    stage.cluster.fill(records)
    draw = random.Random(3)
    progress = [0]
    for turn in range(3):
        worker = stage.detect(f"killed-{turn}", batch_records=40).start()
        worker.wait_for(lambda: stage.counters().get("records:read", 0) > progress[-1])
        time.sleep(draw.random() * 0.1)
        worker.kill()
        progress.append(stage.counters()["records:read"])
    assert progress[-1] < len(records), "the kills fell into the middle"
    worker = stage.detect().start()
    stage.wait_counted(expected)
    assert worker.status()["violations"] == []
    worker.stop()
    assert detect_violations(stage.counters()) == []
    stage.assert_all_written(expected)


@pytest.mark.claim("two detect workers count every record once while partitions move between them")
def test_a_rebalance_under_load_counts_everything_once(stage: DetectStage) -> None:
    records = list(mixture(6000, seed=4))
    expected = Expected(stage.settings, records)
    one, two = (stage.detect(name, batch_records=50) for name in ("one", "two"))
    one.start().wait_ready()
    stage.cluster.fill(records[:2000])
    two.start()
    stage.cluster.fill(records[2000:3500])
    two.wait_ready()
    two.wait_for(lambda: len(one.status()["lag"]) == 8 and len(two.status()["lag"]) == 8)
    stage.cluster.fill(records[3500:5000])
    one.stop()
    stage.cluster.fill(records[5000:])
    stage.wait_counted(expected)
    two.stop()
    stage.assert_all_written(expected)


@pytest.mark.claim(
    "a broker killed and started again in the middle costs detect no record and no double count"
)
def test_a_broker_that_is_killed_in_the_middle_is_waited_for(stage: DetectStage, kafka: KafkaPart) -> None:
    records = list(mixture(6000, seed=5))
    expected = Expected(stage.settings, records)
    worker = stage.detect(batch_records=40).start()
    worker.wait_ready()
    stage.cluster.fill(records[:4000])
    worker.wait_for(lambda: stage.counters().get("records:read", 0) > 0)
    kafka.kill()
    worker.wait_for(lambda: worker.readiness().get("ready") is False)
    assert "kafka" in worker.readiness()["dependencies"]
    kafka.start()
    stage.cluster.fill(records[4000:])
    stage.wait_counted(expected, AFTER_A_RESTART_S)
    worker.wait_ready()
    assert worker.status()["lost_before_read"] == {}
    worker.stop()
    stage.assert_all_written(expected)


@pytest.mark.claim(
    "records that retention deleted before detect read them are counted and a critical finding"
)
def test_retention_that_overtakes_detect_is_reported(stage: DetectStage) -> None:
    def numbered(numbers: range) -> list[Record]:
        return [(CLOUDTRAIL, 1, orjson.dumps(cloudtrail(n, STOPPED))) for n in numbers]

    worker = stage.detect("first").start()
    stage.cluster.fill(numbered(range(50)))
    worker.wait_for(lambda: stage.counters().get("records:read") == 50)
    worker.stop()
    stage.cluster.fill(numbered(range(50, 100)))
    stage.cluster.delete_before(CLOUDTRAIL, 1, 80)
    worker = stage.detect("second").start()
    worker.wait_for(lambda: stage.counters().get("records:read") == 70)
    assert worker.status()["lost_before_read"] == {f"{CLOUDTRAIL}/1": 30}
    assert stage.counters()["lost_before_read"] == 30
    found = stage.cluster.documents("davylamp.findings")
    losses = [f for f in found if f["rule_id"] == "davylamp-lost-before-read"]
    assert [(f["level"], f["source"]) for f in losses] == [("critical", "cloudtrail")]
    assert "30 records" in losses[0]["explain"]
