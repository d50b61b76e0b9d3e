"""Flow records into baselines: silence while learning, one finding after, the same on replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.flows import FlowEvaluator
from daemon.roles.correlate.metrics import Metrics

DAY_S = 86400.0


NewFlow = Callable[..., Record]


@pytest.fixture
def learned(new_flow: NewFlow) -> list[Record]:
    return [
        new_flow(0, "a.terraminer.svc.cluster.local", 0),
        new_flow(3, "b.terraminer.svc.cluster.local", 1),
    ]


@pytest.fixture
def new(new_flow: NewFlow) -> Record:
    return new_flow(8, "203.0.113.9:443", 2)


@pytest.fixture
def evaluator(metrics: Metrics) -> FlowEvaluator:
    return FlowEvaluator(7 * DAY_S, metrics)


def test_a_new_peer_after_the_learning_period_is_found_in_words(
    evaluator: FlowEvaluator, states: Any, learned: list[Record], new: Record
) -> None:
    states.apply(evaluator.evaluate(learned, states))
    found = evaluator.evaluate([new], states).findings
    assert [f.rule_id for f in found] == ["davylamp-first-seen-mesh-edge"]
    assert "203.0.113.9" in found[0].explain
    assert "8.0 days" in found[0].explain


def test_learning_is_silent_and_counted(
    evaluator: FlowEvaluator, states: Any, metrics: Metrics, learned: list[Record]
) -> None:
    assert evaluator.evaluate(learned, states).findings == []
    assert metrics.counts()["silent"] == {"learning": 2, "no_baseline": 1}


def test_one_batch_and_three_give_the_same_findings_and_states(
    evaluator: FlowEvaluator, new_states: Any, learned: list[Record], new: Record
) -> None:
    whole, pieces = new_states(), new_states()
    together = evaluator.evaluate([*learned, new], whole)
    whole.apply(together)
    apart = []
    for record in [*learned, new]:
        evaluation = evaluator.evaluate([record], pieces)
        apart += evaluation.findings
        pieces.apply(evaluation)
    assert apart == together.findings
    assert whole.values == pieces.values


def test_a_replay_says_nothing_new_and_a_lost_state_says_the_same(
    evaluator: FlowEvaluator, new_states: Any, learned: list[Record], new: Record
) -> None:
    states = new_states()
    states.apply(evaluator.evaluate(learned, states))
    before = dict(states.values)
    first = evaluator.evaluate([new], states)
    states.apply(first)
    assert evaluator.evaluate([*learned, new], states).findings == []
    states.values = before
    assert evaluator.evaluate([new], states).findings == first.findings


def test_what_cannot_be_read_is_counted_by_name(
    evaluator: FlowEvaluator, states: Any, metrics: Metrics, new: Record, new_flow: NewFlow
) -> None:
    broken = Record(0, 5, b"k", orjson.dumps({"kind": "flow", "model": "mesh_edge"}), 0.0)
    evaluator.evaluate(
        [broken, new_flow(0, "x", 6, model="other"), Record(0, 7, b"\xff", new.value, 0.0)], states
    )
    assert metrics.counts()["rejected"] == {"flow": 1, "unknown_model": 1, "key": 1}


def test_heartbeats_are_left_alone(evaluator: FlowEvaluator, states: Any, metrics: Metrics) -> None:
    said = {"kind": "heartbeat", "worker": "w", "partition_counts": {}, "partitions": {}}
    beat = Record(0, 1, None, orjson.dumps(said), 0.0)
    assert evaluator.evaluate([beat], states).writes == []
    assert metrics.counts()["rejected"] == 0
