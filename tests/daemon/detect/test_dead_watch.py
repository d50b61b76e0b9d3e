"""detect on a real broker hears what respond proved dead, and sees it used in records that no rule reads."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from config.settings import Settings
from connectors.kafka.client import producer_options
from connectors.kafka.topics import VERDICTS, create_topics
from daemon.roles.detect.dead_watch import MAX_BYTES, stated
from detectors.dead_credential import RULE_ID
from detectors.finding import rfc3339

pytestmark = pytest.mark.integration
_PATH = Path(__file__).parent / "watching.py"
_spec = importlib.util.spec_from_file_location("detect_dead_watching", _PATH)
assert _spec is not None and _spec.loader is not None
watching = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(watching)


def verdict(key: str, proven_at: float) -> dict[str, Any]:
    return {
        "schema": "davylamp.dead-credential/1",
        "type": "access_key",
        "id": key,
        "names": [key],
        "target": "aws_iam_access_key:secret/etl",
        "action_id": "a",
        "incident_id": "i",
        "epoch": 1,
        "proven_at": proven_at,
        "refused_from": proven_at,
        "accepted_from": proven_at,
    }


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


async def state(settings: Settings, *values: bytes, key: bytes = b"dead-credential|access_key:x") -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    for value in values:
        await producer.send_and_wait(VERDICTS, value, key=key)
    await producer.stop()


async def uses(settings: Settings) -> list[str]:
    found = [orjson.loads(r.value) for r in await watching.everything(settings, "davylamp.findings")]
    return [one["entities"][0]["id"] for one in found if one["rule_id"] == RULE_ID]


async def test_what_was_dead_before_and_what_dies_meanwhile_is_seen_used(settings: Settings) -> None:
    await create_topics(settings, raw=True)
    now = time.time()
    early = [verdict("AKIAEARLY", now - 100), {"schema": "other"}, verdict("", now)]
    await state(settings, *map(orjson.dumps, early), b"{", b"[]")
    await state(settings, orjson.dumps(verdict("AKIANOTOURS", now - 100)), key=b"model|x")
    backlog = [call("AKIAEARLY", now - 200), call("AKIAEARLY", now - 50), call("AKIANOTOURS", now - 50)]
    await watching.fill(settings, [*backlog, call("AKIALATE", now - 10)])
    async with watching.detecting(settings) as runtime:
        counted = runtime.status
        await watching.until(lambda: counted()["dead_credentials"]["known"] == 1)
        await watching.until(lambda: total(counted()) == 4)
        await state(settings, orjson.dumps(verdict("AKIALATE", now - 5)))
        await watching.until(lambda: counted()["dead_credentials"]["known"] == 2)
        await watching.fill(settings, [call("AKIALATE", now)])
        await watching.until(lambda: total(counted()) == 5)
        assert counted()["dead_credentials"] == {"known": 2, "left_out": 0, "unreadable": 4}
        assert counted()["violations"] == []
    assert await uses(settings) == ["AKIAEARLY", "AKIALATE"]


def total(status: dict[str, Any]) -> int:
    return sum(one.get("events:accepted", 0) for one in status["conservation"].values())


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"null", b"{}", b" " * (MAX_BYTES + 1)])
def test_a_record_that_states_nothing_is_left(value: bytes | None) -> None:
    assert stated(value) is None
