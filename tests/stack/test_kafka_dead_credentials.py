"""detect on real Kafka: the dead credentials of the compacted topic are known from the first record on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

from detectors.dead_credential import RULE_ID
from detectors.finding import rfc3339


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")


def verdict(key: str, proven_at: float) -> tuple[str, int, bytes, bytes]:
    body: dict[str, Any] = {
        "schema": "davylamp.dead-credential/1",
        "type": "access_key",
        "id": key,
        "names": [key],
        "target": "aws_iam_access_key:secret/etl",
        "action_id": "a",
        "incident_id": "i",
        "epoch": 1,
        **dict.fromkeys(("proven_at", "refused_from", "accepted_from"), proven_at),
    }
    place = f"dead-credential|access_key:{key}".encode()
    return "davylamp.verdicts", sum(place) % 4, place, orjson.dumps(body)


def call(key: str, at: float) -> tuple[str, int, bytes]:
    body = {
        "eventVersion": "1.08",
        "eventTime": rfc3339(at),
        "eventID": f"{key}-{int(at)}",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/etl", "accessKeyId": key},
    }
    return "aws.cloudtrail", 0, orjson.dumps(body)


def told(stage: Stage) -> dict[str, list[str]]:
    """Return credential -> the ids of the findings about its use, as often as they were written."""
    found: dict[str, list[str]] = {}
    for one in stage.cluster.documents("davylamp.findings"):
        if one["rule_id"] == RULE_ID:
            found.setdefault(one["entities"][0]["id"], []).append(one["finding_id"])
    return found


@pytest.mark.claim(
    "the use of a credential that was proven dead is found, also in what waited while detect was killed, "
    "and read twice it has the same id"
)
def test_uses_of_dead_credentials_are_found_across_a_kill(stage: Stage) -> None:
    now = time.time()
    stage.cluster.fill([verdict(f"AKIA{n:04d}", now - 1000) for n in range(200)])
    stage.cluster.fill([call("AKIA0007", now - 2000), call("AKIA0007", now - 500), call("AKIAALIVE", now)])
    worker = stage.role("detect", "first").start()
    until(lambda: "AKIA0007" in told(stage), worker.log)
    stage.cluster.fill([verdict("AKIALATE", now - 100)])
    until(lambda: worker.status()["dead_credentials"]["known"] == 201, worker.status)
    worker.kill()
    stage.cluster.fill([call("AKIALATE", now - 50), call("AKIALATE", now - 150)])
    second = stage.role("detect", "second").start()
    until(lambda: "AKIALATE" in told(stage), second.log)
    found = told(stage)
    assert {key: len(set(ids)) for key, ids in found.items()} == {"AKIA0007": 1, "AKIALATE": 1}
    assert second.status()["violations"] == []
