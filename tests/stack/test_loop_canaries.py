"""Canaries on real servers: from four raw topics on Kafka, through two workers, to a search in both SIEMs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Message, Producer
from kafka.expected import counters_in_commits
from kafka.records import CLOUDTRAIL
from kafka.role_child import RoleChild
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart
from parts.search_node import SearchNode
from parts.watched_siem import new_namespace, stored, watched

from connectors.sources.catalogue import KINDS
from detectors.canary.finding import LOST_RULE, RULES
from detectors.canary.proof import HEADER

CANARY = {"key": {"value": "a-key-of-the-test-only"}, "every_minutes": 1 / 30, "grace_s": 60.0}
DETECTION = {"builtin_rules": True, "rules": []}


class CanaryStage(Stage):
    """Two detect workers, and forward to both SIEMs under a namespace of its own."""

    def begin(self, nodes: dict[str, SearchNode]) -> None:
        self.namespace = new_namespace()
        targets = [{"kind": kind, "name": kind, "urls": [node.url]} for kind, node in nodes.items()]
        forwarding = {"namespace": self.namespace, "targets": targets}
        self.workers = [self.detect(name) for name in ("one", "two")]
        self.forward = self.role("forward", "forward", forwarding=forwarding, canary=CANARY).start()

    def detect(self, name: str) -> RoleChild:
        return self.role("detect", name, detection=dict(DETECTION), canary=CANARY).start()

    def counters(self) -> dict[str, int]:
        found = counters_in_commits(self.cluster, "davylamp-detect")
        return {name: count for name, count in found.items() if ":" in name}

    def arrived(self) -> dict[str, Any]:
        return self.forward.status().get("canary", {}).get("newest", {})

    def findings(self, rule: str) -> list[dict[str, Any]]:
        return [found for found in self.cluster.documents("davylamp.findings") if found["rule_id"] == rule]

    def canaries(self) -> list[Message]:
        return [record for record in self.cluster.everything(CLOUDTRAIL) if record.headers()]


async def installed(nodes: dict[str, SearchNode]) -> None:
    for node in nodes.values():
        async with watched(node, "default"):
            pass


@pytest.fixture
def nodes(request: pytest.FixtureRequest) -> dict[str, SearchNode]:
    found = {kind: request.getfixturevalue(kind) for kind in ("elasticsearch", "opensearch")}
    asyncio.run(installed(found))
    return found


@pytest.fixture
def stage(kafka: KafkaPart, nodes: dict[str, SearchNode], tmp_path: Path) -> Iterator[CanaryStage]:
    with ExitStack() as stack:
        made = CanaryStage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")
        made.begin(nodes)
        yield made


@pytest.mark.claim(
    "a canary of each source is found by a search in both SIEMs; one that is copied, changed or sent again"
    " hides nothing, and each slot is accepted once though a worker is killed"
)
def test_canaries_come_out_of_both_siems(
    stage: CanaryStage, nodes: dict[str, SearchNode], kafka: KafkaPart
) -> None:
    wanted = {f"{target} {source}" for target in nodes for source in KINDS}
    stage.forward.wait_for(lambda: searched(stage) == wanted, 60.0)
    print(orjson.dumps(stage.arrived()).decode())
    assert stage.forward.status()["canary"]["late"] == []
    stage.workers[0].kill()
    forge(kafka.brokers, stage.canaries()[0])
    until(lambda: stage.counters().get("canary:refused:wrong", 0) == 1, stage.counters)
    until(lambda: stage.counters().get("canary:refused:used", 0) >= 1, stage.counters)
    attacks = [found for found in stage.cluster.documents("davylamp.findings") if found["level"] == "high"]
    assert [found["event_id"] for found in attacks] == ["00000000-0000-4000-8000-0000000000aa"]
    before = max(float(found["labels"]["canary_due"]) for found in told(stage))
    until(
        lambda: {found["source"] for found in told(stage) if due(found) > before} == set(KINDS),
        lambda: told(stage)[-4:],
    )
    stage.workers[1].stop()
    times = Counter((found["labels"]["topic"], found["labels"]["canary_due"]) for found in told(stage))
    assert len(times) == stage.counters()["canary:accepted"]
    assert stage.findings(LOST_RULE) == []
    for node in nodes.values():
        hits = stored(node, "alerts", stage.namespace, {"term": {"event.action": "canary"}})
        assert {hit["_source"]["event"]["kind"] for hit in hits} == {"event"}
        assert {hit["_source"]["rule"]["id"] for hit in hits} == set(RULES.values())


def searched(stage: CanaryStage) -> set[str]:
    return {name for name, arrival in stage.arrived().items() if arrival["searchable_s"] is not None}


def told(stage: CanaryStage) -> list[dict[str, Any]]:
    """Return the findings of canaries; one that was told twice stands twice."""
    found = stage.cluster.documents("davylamp.findings")
    return [finding for finding in found if "canary" in finding.get("labels", {})]


def due(finding: dict[str, Any]) -> float:
    return float(finding["labels"]["canary_due"])


def forge(brokers: str, canary: Message) -> None:
    """Send a canary again as it is, and an attack under its header, to its own partition."""
    value = canary.value()
    headers: list[Any] = list(canary.headers() or ())
    assert value and [name for name, _ in headers] == [HEADER]
    attack = orjson.loads(value) | {
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "eventID": "00000000-0000-4000-8000-0000000000aa",
    }
    producer = Producer({"bootstrap.servers": brokers})
    partition = canary.partition() or 0
    for sent in (value, orjson.dumps(attack)):
        producer.produce(CLOUDTRAIL, sent, partition=partition, headers=headers)
    assert producer.flush(10.0) == 0
