"""A source that falls silent on real Kafka, by append times of nine days, through workers that are killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from kafka.records import CLOUDTRAIL, cloudtrail
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

from detectors.finding import rfc3339

HOUR_S = 3600
HOURS = 9 * 24
SILENT_HOURS = 8
EVENTS_AN_HOUR = 30


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        made = Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")
        made.cluster.alter(CLOUDTRAIL, {"message.timestamp.type": "CreateTime", "retention.ms": "-1"})
        yield made


def fill(brokers: str, end: int) -> None:
    """Write nine days of even traffic that ends at the hour `end`, a minute after each event."""
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "log_level": 0})
    for number in range(HOURS * EVENTS_AN_HOUR):
        at = (end - HOURS) * HOUR_S + number * HOUR_S // EVENTS_AN_HOUR
        event = cloudtrail(number) | {"eventTime": rfc3339(at - 60)[:19] + "Z"}
        producer.produce(CLOUDTRAIL, orjson.dumps(event), partition=number % 4, timestamp=at * 1000)
        producer.poll(0)
    assert producer.flush(30) == 0


def findings(stage: Stage) -> list[dict[str, Any]]:
    return stage.cluster.documents("davylamp.findings")


@pytest.mark.claim("a source that falls silent is found by its append times, once, through killed workers")
def test_a_source_that_falls_silent_is_found_once(stage: Stage, kafka: KafkaPart) -> None:
    end = int(time.time() // HOUR_S) - SILENT_HOURS
    fill(kafka.brokers, end)
    detect, correlate = stage.role("detect", "d"), stage.role("correlate", "c")
    detect.start()
    correlate.start()
    detect.wait_for(lambda: bool(stage.cluster.committed("davylamp-detect")))
    detect.kill()
    detect.start()
    correlate.wait_ready()
    correlate.kill()
    correlate.start()

    def found() -> bool:
        correlate.keep()
        return bool(findings(stage))

    until(found, lambda: (detect.status(), correlate.status(), correlate.log()), 60)
    time.sleep(2.5)
    said = findings(stage)
    assert {(f["rule_id"], f["level"], f["source"]) for f in said} == {
        ("davylamp-source-silent", "high", "cloudtrail")
    }
    assert {f["event_time"] for f in said} == {rfc3339((end + 1) * HOUR_S)}, "after the first silent hour"
    assert len({f["finding_id"] for f in said}) == 1
    assert "0 events in the 1 hour" in said[0]["explain"] and "at least 30" in said[0]["explain"]
