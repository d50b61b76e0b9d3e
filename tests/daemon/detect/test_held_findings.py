"""What detect holds back is written with its reason, counted, and the same after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from aiokafka.structs import ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry, generate_latest

from connectors.kafka.batch import PartitionBatch
from connectors.kafka.checkpoint import Log, decode_counters, encode_counters
from connectors.kafka.conservation import EVENT_OUTCOMES, RECORD_OUTCOMES, add
from connectors.kafka.producer import Message
from connectors.sources.catalogue import profile
from daemon.holding_metrics import HitsCollector
from daemon.roles.detect.repeated import RepeatedIds
from daemon.roles.detect.stage import DetectStage
from detectors.event import Entity
from detectors.exception.entry import Exemption, Matcher
from detectors.exception.exemptions import Exemptions
from detectors.finding import Finding
from detectors.lifecycle.breaker import FLOOD_RULE, SLOTS, Breaker
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.held import WHYS
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

TP = TopicPartition("aws.cloudtrail", 0)
START_MS = 1_780_000_000_000
RULE = "7f0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9d11"
TEXT = f"""title: A trail was stopped
id: {RULE}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventName: StopLogging}}, condition: s}}
level: high
"""
CI = "arn:aws:iam::123456789012:user/ci"


def record(offset: int, who: str = CI, name: str = "StopLogging"):
    event = {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{offset:012d}",
        "eventTime": "2026-05-28T20:26:40Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "userIdentity": {"type": "IAMUser", "arn": who, "accountId": "123456789012"},
    }
    value = orjson.dumps(event)
    return ConsumerRecord(*TP, offset, START_MS, 1, None, value, None, -1, len(value), ())


class Run:
    """A stage and what a consumer keeps of it: the counters as a commit's metadata holds them."""

    def __init__(self, gate: Gate, flood_limit: int = 0) -> None:
        self.sent: list[dict] = []
        self.metadata = encode_counters({})
        self.gate, self.limit = gate, flood_limit
        self.stage = self.started()

    def started(self) -> DetectStage:
        stage = DetectStage(
            source_of={TP.topic: profile("cloudtrail")},
            engine=Engine(RuleSet.load([RuleDocument("rule.yml", TEXT)])),
            send=self._send,
            repeated=RepeatedIds(0),
            clock=lambda: 0.0,
            max_record_bytes=1 << 20,
            gate=self.gate,
            flood_limit=self.limit,
            counters_of=lambda tp: self.counters,
        )
        stage.assigned({TP: 0})
        return stage

    @property
    def counters(self) -> Mapping[str, int]:
        return decode_counters(self.metadata)

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        counts = await self.stage.handle([PartitionBatch(TP, records, records[0].offset)])
        known = dict(self.counters)
        add(known, counts[TP])
        self.metadata = encode_counters(known)

    async def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.topic == "davylamp.findings":
                self.sent.append(orjson.loads(message.value or b""))

    def said(self) -> list[str]:
        return [one.get("labels", {}).get("held", "sent") for one in self.sent if one["rule_id"] == RULE]


def excepted(who: str) -> Exemption:
    matcher = Matcher("iam_principal", (who,))
    return Exemption("ci", frozenset({RULE}), (matcher,), "o", "r", "t", 0.0, 2e9)


async def test_an_exception_keeps_the_finding_and_counts_it_by_name() -> None:
    run = Run(Gate.of(Exemptions([excepted(CI)]), {}))
    await run.take([record(0), record(1, CI.replace("ci", "eve")), record(2, name="GetObject")])
    assert run.said() == ["exception", "sent"]
    assert run.sent[0]["labels"]["exception"] == "ci"
    assert {n: c for n, c in run.counters.items() if n.startswith("findings:")} == {
        "findings:held:exception": 1,
        "findings:sent": 1,
    }
    registry = CollectorRegistry()
    registry.register(HitsCollector("detect", lambda: run.stage.hits.counts))
    assert b'davylamp_detect_exception_hits_total{exception="ci"} 1.0' in generate_latest(registry)


async def test_a_finding_has_the_same_id_whether_it_is_held_or_not() -> None:
    held, free = Run(Gate(shadow=frozenset({RULE}))), Run(Gate())
    for run in (held, free):
        await run.take([record(number) for number in range(5)])
    assert held.said() == ["shadow"] * 5 and free.said() == ["sent"] * 5
    assert [one["finding_id"] for one in held.sent] == [one["finding_id"] for one in free.sent]


async def test_a_flood_is_the_same_in_one_batch_and_in_many_with_a_restart_between() -> None:
    records = [record(number) for number in range(60)]
    whole, parts = Run(Gate(), 20), Run(Gate(), 20)
    await whole.take(records)
    for start in range(0, 60, 7):
        parts.stage = parts.started()
        await parts.take(records[start : start + 7])
    assert whole.said() == parts.said() == ["sent"] * 20 + ["flood"] * 40
    assert whole.counters == parts.counters
    assert whole.sent == parts.sent
    (flood,) = [one for one in whole.sent if one["rule_id"] == FLOOD_RULE]
    assert flood["labels"]["rule"] == RULE and "held" not in flood["labels"]


async def test_a_batch_that_failed_leaves_nothing_of_the_flood_behind() -> None:
    run = Run(Gate(), 20)
    await run.take([record(number) for number in range(15)])
    before, send = run.metadata, run.stage.send

    async def broken(messages: Sequence[Message]) -> None:
        raise ConnectionError

    run.stage.send = broken
    try:
        await run.take([record(number) for number in range(15, 30)])
    except ConnectionError:
        assert run.metadata == before
    run.stage.send = send
    await run.take([record(number) for number in range(15, 30)])
    assert run.said() == ["sent"] * 20 + ["flood"] * 10


def test_a_full_breaker_fits_beside_the_counters_into_a_commit() -> None:
    breaker = Breaker(1, *TP, {})
    who = [Entity("k8s_user", f"u{number}", "actor") for number in range(500)]
    for number in range(500 * SLOTS):
        at = 1.78e9 + number % 500
        breaker.take(
            Finding(
                f"rule {number % SLOTS}", "t", "high", "high", "final", "s", "e", ("e",), at, at, at, 1,
                (who[number // SLOTS],), (), "x", "f",
            ),
            at,
        )  # fmt: skip
    known = breaker.changes()
    assert len(known) == 4 * SLOTS
    others = [
        *RECORD_OUTCOMES,
        *EVENT_OUTCOMES,
        "records:read",
        "events:unpacked",
        "findings:sent",
        "canary_due",
    ]
    others += [f"findings:held:{why}" for why in WHYS] + [f"canary:refused:reason{n}" for n in range(8)]
    others += [
        "rules:failed",
        "profile:failed",
        "flows:overflow",
        "canary:carried",
        "canary:accepted",
        "lost",
    ]
    counters = {**dict.fromkeys(others, 10**15), **known}
    logs = {f"a.topic.of.a.usual.length.{n}": Log("A" * 22, 128) for n in range(12)}
    assert len(encode_counters(counters, logs)) <= 4096
    assert decode_counters(encode_counters(counters, logs)) == counters
    assert "a.topic.of.a.usual.length.11" in encode_counters(counters, logs)
