"""`davylamp dlq`: dead letters counted and shown, and their records read again, on the embedded broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from config.settings import Settings
from connectors.kafka.bounded_reading import read_to_end, ungrouped
from connectors.kafka.client import producer_options
from connectors.kafka.dead_letter import dead_letter
from connectors.kafka.producer import Message
from connectors.kafka.topics import create_topics, partitions_of

pytestmark = pytest.mark.integration
TOPIC = "aws.cloudtrail"


@pytest.fixture
def config(tmp_path: Path, quick_kafka: dict[str, object], rule: Callable[..., Path]) -> Path:
    """A configuration with one rule and one SIEM target that is a folder."""
    path = tmp_path / "davylamp.yaml"
    settings = {
        "state_dir": str(tmp_path / "state"),
        "kafka": quick_kafka,
        "detection": {"builtin_rules": False, "rules": [str(rule("rules/r.yml", 1, "StopLogging"))]},
        "forwarding": {"targets": [{"kind": "file", "name": "archive", "folder": str(tmp_path / "siem")}]},
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def settings_of(config: Path) -> Settings:
    return Settings.model_validate(yaml.safe_load(config.read_text(encoding="utf-8")))


async def write(settings: Settings, messages: list[Message]) -> None:
    producer = AIOKafkaProducer(**producer_options(settings.kafka))
    await producer.start()
    try:
        for topic, key, value, headers, partition in messages:
            await producer.send_and_wait(topic, value, key, partition, headers=list(headers))
    finally:
        await producer.stop()


async def held(settings: Settings, topic: str) -> list[bytes]:
    async with ungrouped(settings.kafka) as consumer:
        partitions = await partitions_of(settings.kafka, [topic])
        return [r.value async for r in read_to_end(settings.kafka, consumer, partitions) if r.value]


def letter(origin: str, reason: str = "bad_json", value: bytes = b"{", **more: Any) -> Message:
    given: dict[str, Any] = {"role": "detect", "source": "cloudtrail", "detail": "an older version's"} | more
    return dead_letter(value, reason=reason, origin=origin, **given)


@pytest.fixture
def letters(config: Path, trail_event: Callable[..., dict[str, Any]]) -> Path:
    """Records 0 (an attack that an older version could not read), 1 (broken for good), and five letters."""
    settings = settings_of(config)

    async def prepare() -> None:
        await create_topics(settings, raw=True)
        attack = orjson.dumps(trail_event(1, "StopLogging"))
        raw = [Message(TOPIC, None, value, partition=1) for value in (attack, b'{"eventName": "Sto')]
        await write(settings, raw)
        await write(
            settings,
            [
                letter(f"{TOPIC}/1/0/0"),
                letter(f"{TOPIC}/1/1/0", "truncated", b'{"eventName": "Sto\x1b[31m hvs.CAESIJ2b7xQ9v0ZkAAAA'),
                letter(f"{TOPIC}/1/77/0"),
                letter("secrets.of.others/0/0/0"),
                letter(f"{TOPIC}/1/0/0", "refused_by_target", role="forward", target="archive"),
            ],
        )

    asyncio.run(prepare())
    return config


def shown(command: Callable[..., Any], config: Path, *more: str) -> dict[str, Any]:
    ran = command("dlq", "show", "--config", config, "--json", *more)
    assert ran.returncode == 0, ran.stderr
    return orjson.loads(ran.stdout)


def redriven(command: Callable[..., Any], config: Path, *more: str | Path) -> tuple[int, dict[str, int]]:
    ran = command("dlq", "redrive", "--config", config, "--json", *more)
    assert ran.returncode in (0, 1), ran.stderr
    return ran.returncode, orjson.loads(ran.stdout)["counts"]


def test_letters_are_counted_by_kind_and_the_newest_are_shown(
    letters: Path, command: Callable[..., Any]
) -> None:
    page = shown(command, letters, "--limit", "2")
    assert page["total"] == 5 and len(page["letters"]) == 2
    assert {(row["reason"], row["role"], row["letters"]) for row in page["counts"]} == {
        ("bad_json", "detect", 3),
        ("truncated", "detect", 1),
        ("refused_by_target", "forward", 1),
    }
    only = shown(command, letters, "--reason", "truncated")
    assert [row["origin"] for row in only["letters"]] == [f"{TOPIC}/1/1/0"]
    table = command("dlq", "show", "--config", letters)
    assert "truncated" in table.stdout
    assert "\x1b" not in table.stdout and "hvs.CAES" not in table.stdout


def test_a_redrive_finds_what_could_not_be_read_and_says_what_it_could_not_do(
    letters: Path, command: Callable[..., Any]
) -> None:
    dry = redriven(command, letters, "--dry-run")
    assert asyncio.run(held(settings_of(letters), "davylamp.findings")) == []
    code, counts = redriven(command, letters)
    assert (code, counts) == dry
    assert code == 1
    assert counts == {
        "letters": 4,
        "records": 3,
        "events": 1,
        "findings": 1,
        "still_unreadable": 1,
        "gone": 1,
        "unknown_origin": 1,
    }


def test_twice_is_once_and_no_letter_is_written(letters: Path, command: Callable[..., Any]) -> None:
    for _ in range(2):
        redriven(command, letters)
    found = [orjson.loads(value) for value in asyncio.run(held(settings_of(letters), "davylamp.findings"))]
    assert len({finding["finding_id"] for finding in found}) == 1
    assert found[0]["title"] == "Saw StopLogging"
    assert shown(command, letters)["total"] == 5


def test_as_forward_the_documents_reach_the_target(
    letters: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    code, counts = redriven(command, letters, "--role", "forward", "--reason", "refused_by_target")
    assert (code, counts) == (0, {"letters": 1, "records": 1, "documents": 1, "delivered": 1})
    files = list((tmp_path / "siem").iterdir())
    documents = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]
    assert [document["event"]["action"] for document in documents] == ["StopLogging"]


def test_letters_may_come_from_a_file(letters: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "letters.json"
    file.write_bytes(orjson.dumps(shown(command, letters, "--reason", "bad_json", "--limit", "100")))
    _, counts = redriven(command, letters, "--letters", file)
    assert counts["letters"] == 3 and counts["findings"] == 1
    file.write_text('{"letters": [{"origin": 7}]}')
    refused = command("dlq", "redrive", "--config", letters, "--letters", file)
    assert refused.returncode == 2 and "dlq show --json" in refused.stderr


def test_brokers_that_are_away_are_named(command: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "davylamp.yaml"
    path.write_text("kafka:\n  brokers: ['127.0.0.1:1']\n", encoding="utf-8")
    ran = command("dlq", "show", "--config", path)
    assert ran.returncode == 3
    assert "127.0.0.1:1" in ran.stderr and "Traceback" not in ran.stderr
