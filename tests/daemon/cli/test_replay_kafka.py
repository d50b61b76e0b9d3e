"""`davylamp replay` from the topics of the embedded broker: what detect would find against what is stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from config.settings import Settings
from connectors.kafka.bounded_reading import read, read_to_end, stretches, ungrouped
from connectors.kafka.client import producer_options
from connectors.kafka.topics import FINDINGS, INTERNAL, create_topics, partitions_of
from detectors.finding import rfc3339

pytestmark = pytest.mark.integration
TRAIL = "aws.cloudtrail"
SINCE = ("--since", "2026-05-01", "--until", "2026-05-02")


@pytest.fixture
def config(tmp_path: Path, quick_kafka: dict[str, object], rule: Callable[..., Path]) -> Path:
    """A configuration with one rule, and its topics."""
    rules = [str(rule("rules/r.yml", 1, "StopLogging"))]
    document = {"kafka": quick_kafka, "detection": {"builtin_rules": False, "rules": rules}}
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    asyncio.run(create_topics(settings_of(path), raw=True))
    return path


def settings_of(config: Path) -> Settings:
    return Settings.model_validate(yaml.safe_load(config.read_text(encoding="utf-8")))


def fill(settings: Settings, topic: str, values: list[bytes]) -> None:
    async def write() -> None:
        producer = AIOKafkaProducer(**producer_options(settings.kafka))
        await producer.start()
        try:
            for number, value in enumerate(values):
                await producer.send_and_wait(topic, value, partition=number % 4)
        finally:
            await producer.stop()

    asyncio.run(write())


def held(settings: Settings) -> dict[str, int]:
    async def count() -> dict[str, int]:
        found: dict[str, int] = {}
        async with ungrouped(settings.kafka) as consumer:
            for topic in (TRAIL, *INTERNAL):
                parts = await partitions_of(settings.kafka, [topic])
                found[topic] = sum([1 async for _ in read_to_end(settings.kafka, consumer, parts)])
        return found

    return asyncio.run(count())


def replayed(command: Callable[..., Any], config: Path, *more: str | Path) -> tuple[int, dict[str, Any]]:
    ran = command("replay", "--config", config, "--source", "cloudtrail", "--json", *SINCE, *more)
    assert ran.returncode in (0, 1), ran.stderr
    return ran.returncode, orjson.loads(ran.stdout)


def test_stored_findings_are_found_again_and_nothing_is_written(
    command: Callable[..., Any],
    config: Path,
    trail_event: Callable[..., dict[str, Any]],
    saved: Callable[..., Path],
    rule: Callable[..., Path],
    tmp_path: Path,
) -> None:
    settings = settings_of(config)
    attacks = [trail_event(number, "StopLogging") for number in range(6)]
    fill(settings, TRAIL, [*map(orjson.dumps, attacks), b'{"eventName": "Sto'])
    file = saved("attacks.jsonl", attacks)
    scanned = command("scan", file, "--source", "cloudtrail", "--config", config, "--json", "--no-builtin")
    assert scanned.stdout == "", "scan takes no rules of a configuration"
    words = ("--rules", tmp_path / "rules", "--no-builtin", "--json")
    lines = command("scan", file, "--source", "cloudtrail", *words).stdout.encode().splitlines()
    fill(settings, FINDINGS, [*lines[:5], lines[0], b"{", b'{"schema": "other/1"}'])
    before = held(settings)
    code, page = replayed(command, config)
    assert code == 1
    assert {name: n for name, n in page["counts"].items() if n} == {"unchanged": 5, "new": 1}
    assert page["read"]["events"] == 6 and page["read"]["rejected"] == {"truncated": 1}
    assert page["read"]["findings_unreadable"] == 2
    rule("other/r.yml", 2, "DeleteTrail")
    code, page = replayed(command, config, "--rules", tmp_path / "other")
    assert (code, page["counts"]["gone"], page["counts"]["new"]) == (1, 5, 0)
    code, page = replayed(command, config, file)
    assert (code, page["counts"]["unchanged"], page["counts"]["new"]) == (1, 5, 1), "files against the topic"
    against = saved("stored.jsonl", [orjson.loads(line) for line in lines])
    code, page = replayed(command, config, "--against", against)
    assert (code, page["counts"]["unchanged"]) == (0, 6), "the topic against a file"
    assert held(settings) == before


def test_what_the_roles_may_not_have_judged_yet_is_at_the_edge(
    command: Callable[..., Any], config: Path, trail_event: Callable[..., dict[str, Any]]
) -> None:
    ago = {"recent": time.time() - 60, "old": time.time() - 2 * 3600}
    recent, old = (
        trail_event(number, "StopLogging", eventTime=rfc3339(at)[:19] + "Z")
        for number, at in enumerate(ago.values())
    )
    fill(settings_of(config), TRAIL, [orjson.dumps(recent), orjson.dumps(old)])
    ran = command("replay", "--config", config, "--source", "cloudtrail", "--since", "2026-05-01", "--json")
    told = {one["verdict"]: one["finding"]["event_id"] for one in orjson.loads(ran.stdout)["differences"]}
    assert told == {"at the edge": recent["eventID"], "new": old["eventID"]}


def test_a_topic_that_is_not_there_is_named_and_not_made(command: Callable[..., Any], config: Path) -> None:
    document = yaml.safe_load(config.read_text())
    document["kafka"]["topics"] = {"cloudtrail": [TRAIL, "aws.other"]}
    config.write_text(yaml.safe_dump(document))
    for _ in range(2):
        ran = command("replay", "--config", config, "--source", "cloudtrail", *SINCE)
        assert ran.returncode == 3
        assert "topic aws.other: not there" in ran.stderr and "Traceback" not in ran.stderr


def test_reading_begins_at_a_time_and_never_later(config: Path) -> None:
    settings = settings_of(config)
    fill(settings, TRAIL, [b"old"] * 8)
    time.sleep(0.05)
    mark = time.time()
    time.sleep(0.05)
    fill(settings, TRAIL, [b"new"] * 8)

    async def values(since: float) -> list[bytes | None]:
        async with ungrouped(settings.kafka) as consumer:
            parts = await partitions_of(settings.kafka, [TRAIL])
            found = await stretches(settings.kafka, consumer, parts, since)
            return [record.value async for record in read(consumer, found)]

    assert asyncio.run(values(mark)).count(b"new") == 8, "the broker's answer may be early, never late"
    assert sorted(asyncio.run(values(0.0)), key=str) == [b"new"] * 8 + [b"old"] * 8


def test_brokers_that_are_away_are_named(command: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "davylamp.yaml"
    path.write_text("kafka:\n  brokers: ['127.0.0.1:1']\n", encoding="utf-8")
    ran = command("replay", "--config", path, "--source", "cloudtrail", *SINCE)
    assert ran.returncode == 3
    assert "127.0.0.1:1" in ran.stderr and "Traceback" not in ran.stderr
