"""`davylamp lab play` on the embedded broker: what arrives, and what is made of the findings that come."""

from __future__ import annotations

import asyncio

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from config.settings import Settings
from connectors.kafka.bounded_reading import read_to_end, ungrouped
from connectors.kafka.client import producer_options
from connectors.kafka.topics import FINDINGS, create_topics, partitions_of
from daemon.cli.lab import lab as group
from daemon.lab.playing import findings_on, send, watching
from daemon.lab.score import seconds
from daemon.lab.script import Plan, written

pytestmark = pytest.mark.integration
CHOSEN = ("aws-trail-deleted", "k8s-admin-bound", "mesh-shell-to-outside", "vault-decoy-touched")


@pytest.fixture
def settings(quick_kafka) -> Settings:
    made = Settings.model_validate({"kafka": quick_kafka})
    asyncio.run(create_topics(made, raw=True))
    return made


def finding(number, event_ids, at, source="cloudtrail"):
    return {
        "finding_id": f"f-{number}",
        "title": f"Rule {number}",
        "level": "high",
        "source": source,
        "event_ids": event_ids,
        "event_time": at,
    }


def test_the_command_sends_every_record_and_its_labels_say_where(settings, tmp_path):
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"kafka": settings.kafka.model_dump(mode="json")}), encoding="utf-8")
    only = [word for one in CHOSEN for word in ("--only", one)]
    words = ["play", "--config", path, "--background", 3, "--minutes", 0, "--wait", 0, "--yes"]
    result = CliRunner().invoke(group, [*map(str, words), "--out", str(tmp_path), *only])
    assert result.exit_code == 0, result.output
    labels = orjson.loads((tmp_path / "labels.json").read_bytes())

    async def arrived():
        async with ungrouped(settings.kafka) as consumer:
            parts = await partitions_of(settings.kafka, list(settings.kafka.topics.kinds()))
            return {
                f"{one.topic}/{one.partition}/{one.offset}": one.value
                async for one in read_to_end(settings.kafka, consumer, parts)
            }

    values = asyncio.run(arrived())
    assert len(values) == sum(labels["counts"].values())
    assert {label["id"] for label in labels["techniques"]} == set(CHOSEN)
    for label in labels["techniques"]:
        for record in label["records"]:
            assert record["id"] is None or record["id"].encode() in values[record["at"]]


def test_findings_about_the_play_are_scored_with_the_time_they_took(settings):
    plan = Plan(11, background=0, chosen=("aws-trail-stopped", "mesh-bare-address"))

    async def whole():
        topics = {kind: topic for topic, kind in settings.kafka.topics.kinds().items()}
        async with watching(settings.kafka) as consumer:
            sent = await send(written(plan), settings.kafka, topics, paced=False)
            trail, shell = sent.labels["techniques"]
            documents = (
                finding(1, ["of-somebody-else"], trail["start"]),
                finding(2, [trail["records"][0]["id"]], trail["start"]),
                finding(3, [shell["records"][0]["at"] + "/0"], shell["end"], "istio_access"),
            )
            producer = AIOKafkaProducer(**producer_options(settings.kafka))
            await producer.start()
            try:
                for value in (b"no json", *map(orjson.dumps, documents)):
                    await producer.send_and_wait(FINDINGS, value, partition=0)
            finally:
                await producer.stop()
            return shell, await findings_on(consumer, sent, 60.0)

    shell, result = asyncio.run(whole())
    first, second = result.techniques
    assert not result.missed, "it ends as soon as nothing is missing"
    assert 0 <= first.wall_s < 60 and 0 <= second.wall_s < 60
    assert second.delay_s == pytest.approx(seconds(shell["end"]) - seconds(shell["start"]), abs=0.002)
    assert not result.false, "findings about other events are none of the lab's"


def test_brokers_without_the_topic_of_findings_are_told(quick_kafka, tmp_path):
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"kafka": quick_kafka}), encoding="utf-8")
    words = ["play", "--config", str(path), "--background", "0", "--only", CHOSEN[0], "--yes"]
    result = CliRunner().invoke(group, words)
    assert result.exit_code == 3
    assert "davylamp topics create" in result.stderr


def test_nothing_is_sent_without_a_yes(tmp_path):
    words = ["play", "--bootstrap", "127.0.0.1:1", "--background", "0", "--only", CHOSEN[0]]
    result = CliRunner().invoke(group, words, input="n\n")
    assert result.exit_code == 1 and "aws.cloudtrail" in result.stderr
