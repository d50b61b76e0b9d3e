"""`davylamp replay` on a broker with users: it may only read, finds again what was found, leaves no trace."""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiokafka.structs import TopicPartition
from click.testing import CliRunner, Result
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from kafka.bursts import BURST
from kafka.cluster import Cluster
from kafka.documents import LATENESS_S
from kafka.records import CLOUDTRAIL, KUBERNETES, STOPPED, cloudtrail
from kafka.refusals import refused
from kafka.secure_stage import PLATFORM, SecureStage
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart
from parts.secure_kafka import SecureKafkaPart

from connectors.kafka.bounded_reading import read, stretches, ungrouped
from daemon.cli.main import cli

READER = "davylamp-replay"


@pytest.fixture
def stage(secure_kafka: SecureKafkaPart, tmp_path: Path) -> Iterator[SecureStage]:
    with ExitStack() as stack:
        yield SecureStage(secure_kafka, tmp_path, stack)


@pytest.fixture
def config(stage: SecureStage) -> Path:
    """The configuration of a user who may read raw topics and findings and do nothing else."""
    password = stage.part.add_user(READER)
    allow(stage, CLOUDTRAIL, KUBERNETES, "davylamp.findings")
    made = stage.settings("dlq", username=READER, password={"value": password})
    path = stage.folder / "replay.yaml"
    path.write_text(yaml.safe_dump(made), encoding="utf-8")
    return path


def allow(stage: SecureStage, *topics: str) -> None:
    admin = AdminClient({"bootstrap.servers": stage.part.admin_brokers, "log_level": 0})
    rights = [
        AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{READER}",
            "*",
            AclOperation.READ,
            AclPermissionType.ALLOW,
        )
        for topic in topics
    ]
    for future in admin.create_acls(rights).values():
        future.result(10)


def replayed(config: Path, kind: str, *more: str) -> Result:
    words = ("--config", str(config), "--source", kind, "--since", "2026-05-01", "--json")
    return CliRunner().invoke(cli, ["replay", *words, *more])


def traces(cluster: Cluster) -> dict[str, Any]:
    """Everything that a reader could leave: groups, their commits, topics, where they end."""
    groups = cluster.groups()
    return {
        "topics": (topics := cluster.topics()),
        "ends": {topic: cluster.ends(topic) for topic in topics},
        "groups": groups - {"davylamp-test-reader"},
        "commits": {group: cluster.committed(group) for group in groups},
    }


@pytest.mark.claim(
    "replay, as a user who may only read raw topics and findings, finds again what detect and correlate "
    "found, and leaves no group, commit, topic or record behind"
)
def test_a_replay_finds_what_is_stored_with_the_right_to_read(stage: SecureStage, config: Path) -> None:
    workers = [stage.role(role).start() for role in ("detect", "correlate")]
    requests = [(KUBERNETES, 0, orjson.dumps(refused(n))) for n in range(3)]
    stopped = [(CLOUDTRAIL, n % 4, orjson.dumps(cloudtrail(n, STOPPED))) for n in range(20)]
    stage.user(PLATFORM).fill([*requests, *stopped, (CLOUDTRAIL, 1, b'{"eventName": "Sto')])
    for worker in workers:
        worker.wait_ready()
    finals = lambda: [  # noqa: E731
        f["rule_id"] for f in stage.admin.documents("davylamp.findings") if f["status"] == "final"
    ]
    until(lambda: BURST in finals() and len(finals()) >= 21, finals, 90)
    for worker in workers:
        worker.stop()
    before = traces(stage.admin)
    for kind, same in (("cloudtrail", 20), ("kubernetes_audit", 1)):
        ran = replayed(config, kind)
        page = orjson.loads(ran.stdout)
        assert ran.exit_code == 0, page
        assert {name: n for name, n in page["counts"].items() if n} == {"unchanged": same}
    assert page["left_out"]["provisional"] == 1
    empty = stage.folder / "no-rules"
    empty.mkdir()
    ran = replayed(config, "cloudtrail", "--rules", str(empty))
    page = orjson.loads(ran.stdout)
    assert (ran.exit_code, page["counts"]["gone"]) == (1, 20)
    assert page["read"]["rejected"] == {"truncated": 1}
    assert traces(stage.admin) == before


@pytest.mark.claim("replay without the right to read a topic names the topic")
def test_a_missing_right_is_named(stage: SecureStage, config: Path) -> None:
    stage.take_away("davylamp.findings", "read", READER)
    ran = replayed(config, "cloudtrail")
    assert ran.exit_code == 3
    assert "davylamp.findings" in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.claim(
    "reading from a time begins at the first record of that time and ends where the log ended when it began, "
    "also where transactions left markers at the end"
)
def test_what_is_read_from_a_time_is_exact(kafka: KafkaPart, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stage = Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")
        fill = lambda name: stage.cluster.fill([(CLOUDTRAIL, 0, name)] * 50)  # noqa: E731
        fill(b"old")
        time.sleep(0.1)
        mark = time.time()
        time.sleep(0.1)
        fill(b"new")
        stage.cluster.transaction([(CLOUDTRAIL, 0, b"new")] * 3, commit=True)
        place = TopicPartition(CLOUDTRAIL, 0)

        async def values(since: float) -> list[bytes | None]:
            async with ungrouped(stage.settings.kafka) as consumer:
                found = await stretches(stage.settings.kafka, consumer, [place], since)
                await asyncio.to_thread(fill, b"later")
                return [record.value async for record in read(consumer, found)]

        assert asyncio.run(values(mark)) == [b"new"] * 53
        assert asyncio.run(values(time.time() + 3600)) == []
        stage.cluster.transaction([(CLOUDTRAIL, 0, b"last")] * 3, commit=True)
        began = time.monotonic()
        assert asyncio.run(values(time.time() + 3600)) == []
        assert time.monotonic() - began < 8, "a marker at the end of the log is no reason to wait"


class MakingKafka(KafkaPart):
    """A broker with Kafka's own default: a topic that is asked for by name is made."""

    def properties(self) -> dict[str, str]:
        """Return the properties of the other tests' broker but for that one."""
        return super().properties() | {"auto.create.topics.enable": "true"}


@pytest.fixture
def making(kafka: KafkaPart, tmp_path: Path) -> Iterator[MakingKafka]:
    """Such a broker; `kafka` has fetched what it runs on."""
    part = MakingKafka(tmp_path / "making")
    part.fetch()
    part.start()
    try:
        yield part
    finally:
        part.stop()


@pytest.mark.claim(
    "replay names a topic that is not there, and a broker that makes topics when asked makes none"
)
def test_a_missing_topic_is_named_and_not_made(making: MakingKafka, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stage = Stage(making.brokers, tmp_path, stack, "stopped-trail.yml")
        document = stage.document()
        document["kafka"]["topics"] = {"cloudtrail": [CLOUDTRAIL, "aws.other"]}
        path = tmp_path / "davylamp.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        before = stage.cluster.topics()
        ran = replayed(path, "cloudtrail")
        assert ran.exit_code == 3
        assert "topic aws.other: not there" in ran.stderr
        assert stage.cluster.topics() == before
        assert replayed(path, "cloudtrail").exit_code == 3, "it is still not there"
        assert stage.cluster.topics() == before


@pytest.mark.claim("replay says which partition retention has shortened, and calls nothing before it gone")
def test_what_retention_took_is_at_the_edge(kafka: KafkaPart, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stage = Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")
        now = time.time()
        stopped = [cloudtrail(n, STOPPED) | {"eventTime": rfc(now - 60 + n)} for n in range(10)]
        role = stage.role("detect", "detect").start()
        stage.cluster.fill([(CLOUDTRAIL, 0, orjson.dumps(event)) for event in stopped])
        role.wait_ready()
        found = lambda: stage.cluster.documents("davylamp.findings")  # noqa: E731
        until(lambda: len(found()) == 10, found)
        role.stop()
        stage.cluster.delete_before(CLOUDTRAIL, 0, 5)
        time.sleep(LATENESS_S)
        path = tmp_path / "davylamp.yaml"
        path.write_text(yaml.safe_dump(stage.document()), encoding="utf-8")
        ran = replayed(path, "cloudtrail")
        page = orjson.loads(ran.stdout)
        assert ran.exit_code == 0, page
        assert {name: n for name, n in page["counts"].items() if n} == {"unchanged": 5, "at the edge": 5}
        assert [one["partition"] for one in page["begins_later"]] == [f"{CLOUDTRAIL}/0"]


def rfc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
