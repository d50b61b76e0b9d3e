"""Pulses and heartbeats into findings about a source: whatever the batches, replays, crashes and workers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from daemon.roles.correlate.arrivals import GRACE_S
from daemon.roles.correlate.evaluation import Evaluation, Record, Write
from daemon.roles.correlate.flows import FlowEvaluator
from daemon.roles.correlate.metrics import Metrics
from detectors.silence.clock import DAY, HOUR_S
from detectors.silence.pulse import Pulse

TOPIC = "vault.audit"
KINDS = {TOPIC: "vault_audit"}
FIRST = 420_000 + 4 * DAY
"""A Monday's first hour."""
LEARNING = 3 * DAY
SILENT_FROM = 4 * DAY + 5
HOURS = SILENT_FROM + 4


class Kept:
    """States in a dict."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes] = {}

    def read(self, key: str, partition: int) -> bytes | None:
        return self.values.get((partition, key))

    def keys_of(self, partition: int) -> list[str]:
        return sorted(key for owner, key in self.values if owner == partition)

    def apply(self, evaluation: Evaluation) -> None:
        self.put(evaluation.writes)

    def put(self, writes: Iterable[Write]) -> None:
        for write in writes:
            if write.value is None:
                self.values.pop((write.partition, write.key), None)
            else:
                self.values[write.partition, write.key] = write.value


def evaluator() -> FlowEvaluator:
    return FlowEvaluator(LEARNING * HOUR_S, Metrics(CollectorRegistry()), KINDS)


def record(offset: int, document: Any, time: float, key: str = f"pulse|{TOPIC}") -> Record:
    return Record(0, offset, key.encode(), orjson.dumps(document), time)


def beat(offset: int, reached: dict[int, float], partitions: int = 2) -> Record:
    reports = {
        f"{TOPIC}/{n}": {
            "kind": "vault_audit",
            "through_offset": 1,
            "max_event_time": at,
            "append_time": at,
            "idle": False,
        }
        for n, at in reached.items()
    }
    counts = {TOPIC: partitions}
    document = {"kind": "heartbeat", "worker": "w", "partition_counts": counts, "partitions": reports}
    return record(offset, document, max(reached.values()), "")


def pulse(partition: int, block: int, hour: int, events: int, through: int | None = None) -> Pulse:
    slots = (events // 6,) * 6
    last = block * 1000 + 999 if through is None else through
    return Pulse("vault_audit", TOPIC, partition, block, hour, last, slots, 30, 2.0, {"type": 30})


def log(seed: int = 0, hours: int = HOURS) -> list[Record]:
    """Two partitions, told in any order between heartbeats, in two blocks an hour; silent at the end."""
    draw, out, offsets = random.Random(seed), list[Record](), itertools.count()
    for hour in range(hours):
        events = 0 if hour >= SILENT_FROM else 600
        told: list[list[Pulse]] = []
        for partition in range(2):
            if events:
                at = FIRST + hour
                told.append(
                    [
                        pulse(partition, 2 * hour, at, events // 2, 2 * hour * 1000 + 5),
                        pulse(partition, 2 * hour, at, events),
                        pulse(partition, 2 * hour + 1, at, events),
                    ]
                )
        while told:
            chosen = draw.choice(told)
            said = chosen.pop(0)
            out.append(record(next(offsets), said.to_json(), (FIRST + hour + 1) * HOUR_S))
            if not chosen:
                told.remove(chosen)
        over = (FIRST + hour + 1) * HOUR_S + GRACE_S + 1
        for reached in draw.sample([{0: over}, {1: over}], 2):
            out.append(beat(next(offsets), reached))
    return out


def feed(one: FlowEvaluator, kept: Kept, records: Iterable[Record], size: int = 7) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = []
    for batch in _batches(records, size):
        evaluation = one.evaluate(list(batch), kept)
        findings += [finding.to_json() for finding in evaluation.findings]
        kept.apply(evaluation)
    return findings


def _batches(records: Iterable[Record], size: int) -> Iterable[Sequence[Record]]:
    left = list(records)
    return (left[n : n + size] for n in range(0, len(left), size))


@pytest.fixture(scope="module")
def expected() -> list[dict[str, Any]]:
    return feed(evaluator(), Kept(), log())


def test_a_source_that_stops_is_found_from_pulses_and_heartbeats(expected: list[dict[str, Any]]) -> None:
    (finding,) = expected
    assert finding["rule_id"] == "davylamp-source-silent" and finding["level"] == "high"
    assert finding["source"] == "vault_audit" and finding["entities"][0]["id"] == f"kafka/{TOPIC}"


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(0, 900))
def test_order_batches_and_restarts_change_nothing(
    expected: list[dict[str, Any]], seed: int, size: int, restart: int
) -> None:
    kept, records = Kept(), log(seed)
    first = feed(evaluator(), kept, records[:restart], size)
    assert [*first, *feed(evaluator(), kept, records[max(0, restart - 9) :], size)] == expected


def test_a_crash_between_any_two_writes_says_nothing_else(expected: list[dict[str, Any]]) -> None:
    draw, records = random.Random(3), log(1)
    for _ in range(6):
        kept, findings, place = Kept(), list[dict[str, Any]](), 0
        one = evaluator()
        while place < len(records):
            batch = records[place : place + 40]
            evaluation = one.evaluate(batch, kept)
            findings += [finding.to_json() for finding in evaluation.findings]
            if draw.random() < 0.2:
                kept.put(write for write in evaluation.writes if draw.random() < 0.5)
                one = evaluator()
                continue
            kept.apply(evaluation)
            place += len(batch)
        assert {orjson.dumps(finding) for finding in findings} == {orjson.dumps(f) for f in expected}


def test_a_replay_of_everything_says_nothing_new_and_leaves_the_states(expected: Any) -> None:
    kept, records = Kept(), log()
    one = evaluator()
    feed(one, kept, records)
    before = dict(kept.values)
    assert feed(evaluator(), kept, records) == []
    assert {key: kept.values[key] for key in before if key[1] == f"pulse|{TOPIC}"} == {
        key: value for key, value in before.items() if key[1] == f"pulse|{TOPIC}"
    }


def test_a_lost_state_gives_the_same_findings(expected: list[dict[str, Any]]) -> None:
    records = log()
    assert feed(evaluator(), Kept(), records) == expected == feed(evaluator(), Kept(), records)


def test_hours_that_were_judged_are_deleted_later() -> None:
    kept = Kept()
    feed(evaluator(), kept, log(hours=30))
    gathering = [key for _, key in kept.values if key.count("|") == 3]
    assert 0 < len(gathering) <= 4, "one hour of two partitions, or two"


def test_nothing_is_judged_before_every_partition_has_told() -> None:
    kept, one = Kept(), evaluator()
    feed(one, kept, log(hours=SILENT_FROM))
    end = (FIRST + HOURS) * HOUR_S
    before = kept.values[0, f"pulse|{TOPIC}"]
    feed(one, kept, [beat(10_000, {0: end})])
    assert kept.values[0, f"pulse|{TOPIC}"] == before
    assert len(feed(one, kept, [beat(10_001, {1: end})])) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"slots": []}, "pulse"), ({"topic": "other"}, "key"), ({"topic": 3}, "pulse")],
)
def test_what_is_no_pulse_is_counted_by_name(
    metrics: Metrics, states: Any, change: dict[str, Any], reason: str
) -> None:
    one = FlowEvaluator(1.0, metrics, KINDS)
    assert one.evaluate([record(0, pulse(0, 0, FIRST, 6).to_json() | change, 0.0)], states).writes == []
    assert metrics.counts()["rejected"] == {reason: 1}


def test_a_topic_that_is_not_configured_and_a_pulse_from_the_future_are_left_alone(
    metrics: Metrics, new_states: Callable[[], Any]
) -> None:
    told = record(0, pulse(0, 0, FIRST, 6).to_json(), FIRST * HOUR_S)
    assert FlowEvaluator(1.0, metrics, {}).evaluate([told], new_states()).writes == []
    early = record(0, pulse(0, 0, FIRST + 2, 6).to_json(), FIRST * HOUR_S)
    assert FlowEvaluator(1.0, metrics, KINDS).evaluate([early], new_states()).writes == []
    assert metrics.counts()["rejected"] == {"unknown_topic": 1}
    assert metrics.counts()["future"] == {"pulse": 1}
