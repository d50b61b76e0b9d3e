"""Correlations: what a finding says, provisional then final; caps, late matches, edges of the window."""

from __future__ import annotations

import json
import math

import pytest

from detectors.event import Entity, Fields
from detectors.sigma.correlation import advance
from detectors.sigma.document import RuleDocument
from detectors.sigma.match import Match, MatchFormatError
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.window import MAX_BYTES, MAX_HELD

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
C = "33333333-3333-4333-8333-333333333333"
PLAIN = "title: base\nid: {id}\nlogsource: {{product: test}}\ndetection:\n  s: {{f: a}}\n  condition: s\n"


def correlation(body: str) -> CorrelationRule:
    text = f"title: Burst\nid: {C}\nlevel: high\ntags: [attack.t1110]\ncorrelation:\n{body}"
    ruleset = RuleSet.load(
        [
            RuleDocument("c", text),
            RuleDocument("a", PLAIN.format(id=A)),
            RuleDocument("b", PLAIN.format(id=B)),
        ]
    )
    assert ruleset.refusals == ()
    return ruleset.correlations[0]


COUNT = f"  type: event_count\n  rules: [{A}]\n  group-by: [user]\n  timespan: 10s\n  condition: {{gte: 3}}\n"
ORDERED = f"  type: temporal_ordered\n  rules: [{A}, {B}]\n  group-by: [user]\n  timespan: 10s\n"


def match(event_id: str, time: float, rule: str = A) -> Match:
    entities = (Entity("k8s_user", "kim", "actor"),)
    return Match(C, rule, ("kim",), event_id, time, "plain", "low", entities, f"kim did {event_id}")


def test_provisional_at_once_then_final_that_confirms_it() -> None:
    rule = correlation(COUNT)
    first = advance(rule, {}, [match("e1", 1), match("e2", 2)], -10)
    assert first.findings == []
    second = advance(rule, first.state, [match("e3", 3)], -10)
    [provisional] = second.findings
    assert (provisional.status, provisional.event_ids) == ("provisional", ("e1", "e2", "e3"))
    third = advance(rule, second.state, [match("e4", 9)], -10)
    assert third.findings == []
    assert advance(rule, third.state, [], 11).findings == []
    last = advance(rule, third.state, [], 11.001)
    [final] = last.findings
    assert (final.status, final.event_ids, final.count) == ("final", ("e1", "e2", "e3", "e4"), 4)
    assert final.confirms == (provisional.finding_id,)
    assert final.finding_id != provisional.finding_id
    assert (final.first_time, final.last_time, final.event_time, final.event_id) == (1, 9, 3, "e3")
    assert (final.level, final.attack, final.source) == ("high", ("T1110",), "plain")
    assert final.explain == "Burst: 4 events in 8 s (gte 3 in 10 s); the first: kim did e1"
    assert final.entities == (Entity("k8s_user", "kim", "actor"),)


@pytest.mark.parametrize(("last", "found"), [(10.0, True), (10.001, False)])
def test_the_window_includes_its_edge(last: float, found: bool) -> None:
    step = advance(correlation(COUNT), {}, [match("e1", 0), match("e2", 5), match("e3", last)], math.inf)
    assert bool(step.findings) is found


def test_ordered_needs_the_order_and_says_the_steps() -> None:
    rule = correlation(ORDERED)
    assert not advance(rule, {}, [match("b", 1, B), match("a", 2, A)], math.inf).findings
    [final] = advance(rule, {}, [match("b", 7, B), match("a", 2, A)], math.inf).findings
    assert final.explain == "Burst: kim did a, then kim did b, in 5 s (at most 10 s)"
    assert final.event_ids == ("a", "b")


def test_ordered_counts_one_second_as_in_order_but_never_one_event_twice() -> None:
    rule = correlation(ORDERED)
    assert advance(rule, {}, [match("x", 1, B), match("y", 1, A)], math.inf).findings
    assert not advance(rule, {}, [match("x", 1, B), match("x", 1, A)], math.inf).findings


def test_lt_is_only_final() -> None:
    rule = correlation(COUNT.replace("gte: 3", "lt: 3"))
    step = advance(rule, {}, [match("e1", 1)], 11)
    assert step.findings == []
    [final] = advance(rule, step.state, [], 12).findings
    assert (final.status, final.confirms) == ("final", ())


def test_a_match_of_a_settled_time_is_counted_not_judged() -> None:
    rule = correlation(COUNT)
    settled = advance(rule, {}, [match(f"e{n}", n) for n in range(3)], 100)
    assert len(settled.findings) == 1
    again = advance(rule, settled.state, [match("e1", 1), match("late", 2)], 100)
    assert (again.findings, again.changed, again.counts) == ([], False, {"settled": 2})


def test_nothing_new_changes_nothing() -> None:
    rule = correlation(COUNT)
    step = advance(rule, {}, [match("e1", 1)], 0)
    again = advance(rule, step.state, [match("e1", 1)], 0)
    assert step.changed
    assert not again.changed
    assert again.state == step.state


def test_a_flood_is_capped_and_reported() -> None:
    rule = correlation(COUNT)
    flood = [match(f"e{n:06}" + "x" * 300, 1 + n / 10_000) for n in range(MAX_HELD + 500)]
    step = advance(rule, {}, flood, 0)
    assert step.counts["overflow"] >= 500
    assert len(json.dumps(step.state)) <= MAX_BYTES * 1.5
    [final] = advance(rule, step.state, [], math.inf).findings
    assert final.labels["overflow"] == "true"
    assert "or more" in final.explain


def test_state_is_plain_json() -> None:
    step = advance(correlation(COUNT), {}, [match(f"e{n}", n) for n in range(4)], 0)
    again: Fields = json.loads(json.dumps(step.state))
    assert again == step.state


def test_match_record_reads_back_and_has_a_key() -> None:
    item = match("e1", 1.5)
    assert Match.from_json(json.loads(json.dumps(item.to_json()))) == item
    assert item.key() == f'{C}|["kim"]'


@pytest.mark.parametrize("broken", [{}, {"kind": "flow"}, {"kind": "match"}, {"kind": "match", "group": 1}])
def test_what_is_no_match_is_named(broken: Fields) -> None:
    with pytest.raises(MatchFormatError):
        Match.from_json(broken)
