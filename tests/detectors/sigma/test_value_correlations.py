"""value_*, temporal and expressions: the plain reading, edges, and the same finals for any arrival order."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.event import Fields
from detectors.finding import Finding
from detectors.sigma.correlation import advance
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.ruleset import RuleSet

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
C = "33333333-3333-4333-8333-333333333333"
D = "44444444-4444-4444-8444-444444444444"
NAMES = {A: "first", B: "second", D: "third"}
PLAIN = """title: base {name}
id: {id}
name: {name}
logsource: {{product: test}}
detection:
  s: {{f: {id}}}
  condition: s
"""
LATENESS = 15.0
SPAN = 10.0


def loaded(body: str) -> RuleSet:
    plain = [RuleDocument(name, PLAIN.format(id=id_, name=name)) for id_, name in NAMES.items()]
    head = f"title: Together\nid: {C}\nlevel: high\ncorrelation:\n  timespan: 10s\n  group-by: [user]\n"
    return RuleSet.load([*plain, RuleDocument("c", head + body)])


def correlation(kind: str, condition: str, rules: str = "[first]") -> CorrelationRule:
    ruleset = loaded(f"  type: {kind}\n  rules: {rules}\n  condition: {condition}\n")
    assert ruleset.refusals == ()
    return ruleset.correlations[0]


def match(number: int, time: float, value: str | float | None = None, rule: str = A) -> Match:
    name = f"e{number:02d}"
    return Match(C, rule, ("kim",), name, float(time), "plain", "low", (), f"kim did {name}", value)


def run(rule: CorrelationRule, batches: Sequence[Sequence[Match]]) -> list[Finding]:
    """Feed batches as `correlate` does; return the finals without what went out before."""
    state: Fields = {}
    findings: list[Finding] = []
    newest = -math.inf
    for batch in batches:
        newest = max([newest, *(item.time for item in batch)])
        step = advance(rule, state, batch, newest - LATENESS)
        state = json.loads(json.dumps(step.state))
        findings += step.findings
    findings += advance(rule, state, [], math.inf).findings
    return [replace(item, confirms=()) for item in findings if item.status == "final"]


NUMERIC = [
    correlation("value_sum", "{gt: 20, field: bytes}"),
    correlation("value_sum", "{lte: 5, field: bytes}"),
    correlation("value_avg", "{gte: 6, field: bytes}"),
    correlation("value_avg", "{lt: 2, field: bytes}"),
    correlation("value_median", "{gte: 7, field: bytes}"),
    correlation("value_percentile", "{gte: 9, field: bytes, percentile: 75}"),
    correlation("value_sum", "{gte: 2.5, lt: 20, field: bytes}"),
    correlation("value_avg", "{gt: 0.5, gte: 1, field: bytes}"),
]
COUNTED = [correlation("value_count", f"{{{op}: 3, field: name}}") for op in ("gte", "gt", "eq", "lt")]
COUNTED.append(correlation("value_count", "{gte: 2, lte: 3, field: name}"))
TOGETHER = [
    correlation("temporal", "{gte: 3}", "[first, second, third]"),
    correlation("temporal", "first and (second or third)", "[first, second, third]"),
    correlation("temporal", "first and not second", "[first, second]"),
    correlation("temporal_ordered", "first and (second or third)", "[first, second, third]"),
]
TIMES = st.lists(st.integers(0, 60), max_size=20)
DELAYS = st.lists(st.floats(0, LATENESS - 0.5), min_size=20, max_size=20)
NUMBERS = st.lists(st.sampled_from([-5.0, 0.0, 1.0, 4.0, 7.0, 9.0, 30.0, None]), min_size=20, max_size=20)
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=20, max_size=20)
RULES = st.lists(st.sampled_from([A, B, D]), min_size=20, max_size=20)


def scattered(matches: Sequence[Match], delays: Sequence[float]) -> list[list[Match]]:
    arrivals = sorted(zip(matches, delays, strict=False), key=lambda pair: (pair[0].time + pair[1], pair[1]))
    return [[item] for item, _ in arrivals]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NUMERIC), TIMES, NUMBERS, DELAYS)
def test_figures_do_not_depend_on_arrival(
    rule: CorrelationRule, times: list[int], values: list[float | None], delays: list[float]
) -> None:
    matches = [match(n, time, values[n]) for n, time in enumerate(times)]
    assert run(rule, scattered(matches, delays)) == run(rule, [matches])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COUNTED), TIMES, WORDS, DELAYS)
def test_value_counts_do_not_depend_on_arrival(
    rule: CorrelationRule, times: list[int], values: list[str | None], delays: list[float]
) -> None:
    matches = [match(n, time, values[n]) for n, time in enumerate(times)]
    assert run(rule, scattered(matches, delays)) == run(rule, [matches])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TOGETHER), TIMES, RULES, DELAYS)
def test_temporal_does_not_depend_on_arrival(
    rule: CorrelationRule, times: list[int], rules: list[str], delays: list[float]
) -> None:
    matches = [match(n, time, rule=rules[n]) for n, time in enumerate(times)]
    assert run(rule, scattered(matches, delays)) == run(rule, [matches])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NUMERIC + COUNTED), TIMES, NUMBERS, DELAYS, st.integers(1, 4))
def test_replays_and_duplicates_of_measures_change_nothing(
    rule: CorrelationRule, times: list[int], values: list[Any], delays: list[float], again: int
) -> None:
    held = values if rule in NUMERIC else [None if value is None else str(value) for value in values]
    batches = scattered([match(n, time, held[n]) for n, time in enumerate(times)], delays)
    replayed = [
        [*batch, *itertools.chain.from_iterable(batches[max(0, place - again) : place])]
        for place, batch in enumerate(batches)
    ]
    assert run(rule, replayed) == run(rule, batches)


def windows(matches: Sequence[Match]) -> list[list[Match]]:
    """The plain reading: for each match, all that happened within the span before it."""
    ordered = sorted(matches, key=lambda item: (item.time, item.event_id))
    return [
        [item for item in ordered[: place + 1] if last.time - item.time <= SPAN]
        for place, last in enumerate(ordered)
    ]


@settings(max_examples=300, deadline=None)
@given(TIMES, NUMBERS)
def test_the_first_finding_is_where_the_first_window_satisfies(
    times: list[int], values: list[float | None]
) -> None:
    matches = [match(n, time, values[n]) for n, time in enumerate(times)]
    numbers = [[item.value for item in w if isinstance(item.value, float)] for w in windows(matches)]
    total, mean, middle = NUMERIC[0], NUMERIC[2], NUMERIC[4]
    assert bool(run(total, [matches])) == any(sum(w) > 20 for w in numbers)
    assert bool(run(mean, [matches])) == any(w and sum(w) / len(w) >= 6 for w in numbers)
    assert bool(run(middle, [matches])) == any(w and median(w) >= 7 for w in numbers)
    names = [match(n, time, str(values[n])) for n, time in enumerate(times)]
    different = [{item.value for item in w} for w in windows(names)]
    assert bool(run(COUNTED[0], [names])) == any(len(w) >= 3 for w in different)


@pytest.mark.parametrize(("last", "found"), [(10.0, True), (10.001, False)])
def test_windows_of_measures_include_their_edge(last: float, found: bool) -> None:
    three = [match(0, 0, "a"), match(1, 5, "b"), match(2, last, "c")]
    assert bool(run(COUNTED[0], [three])) is found
    two = [match(0, 0, rule=A), match(1, last, rule=B)]
    assert bool(run(TOGETHER[1], [two])) is found
    assert bool(run(NUMERIC[0], [[match(0, 0, 10.5), match(1, last, 10.5)]])) is found


@pytest.mark.parametrize(
    ("percentile", "least", "found"),
    [
        (50, 2, True),
        (50, 3, False),
        (75, 3, True),
        (76, 4, True),
        (100, 4, True),
        (0, 1, True),
        (0, 2, False),
    ],
)
def test_the_percentile_is_the_nearest_rank(percentile: int, least: int, found: bool) -> None:
    text = f"{{lt: {least}, field: bytes, percentile: {percentile}}}"
    rule = correlation("value_percentile", text)
    window = [match(n, 0, float(n + 1)) for n in range(4)]
    assert bool(run(rule, [window])) is not found


def test_not_is_judged_when_the_window_is_over() -> None:
    rule = TOGETHER[2]
    assert run(rule, [[match(0, 0, rule=A)]])
    assert not run(rule, [[match(0, 0, rule=A), match(1, 10, rule=B)]])
    assert not advance(rule, {}, [match(0, 0, rule=A)], 5).findings
    assert advance(rule, {}, [match(0, 0, rule=A)], 10.001).findings


def test_one_event_that_matches_several_rules_counts_one_value_in_any_order() -> None:
    rule = correlation("value_sum", "{gt: 20, field: bytes}", "[first, second]")
    twice = [match(0, 0, 30.0, A), match(0, 0, None, B)]
    assert run(rule, [twice]) == run(rule, [twice[::-1]])
    assert len(run(rule, [twice])) == 1


@pytest.mark.parametrize(
    ("kind", "condition", "rules", "reason"),
    [
        ("value_percentile", "{gte: 1, field: f}", "[first]", "percentile"),
        ("value_percentile", "{gte: 1, field: f, percentile: 101}", "[first]", "percentile"),
        ("value_sum", "{gte: 1, field: [f, g]}", "[first]", "field"),
        ("value_sum", "{gte: 1}", "[first]", "field"),
        ("temporal", "{gte: 2}", "[first, second, third]", "gte 2 of 3"),
        ("temporal", "first and fourth", "[first, second]", "second"),
        ("temporal_ordered", "first and not second", "[first, second]", "`not`"),
        ("temporal_extended", "{gte: 2}", "[first, second]", "needs an expression"),
        ("event_count", "{gte: 2.5}", "[first]", "no whole number"),
        ("event_count", "{gte: 2001}", "[first]", "2000"),
        ("event_count", "{gt: 2000}", "[first]", "2000"),
        ("event_count", "{gt: 5, lt: 6}", "[first]", "no number is"),
        ("event_count", "{gte: 5, lte: 5, neq: 5}", "[first]", "no number is"),
        ("event_count", "{lt: 0}", "[first]", "no number is"),
        ("event_count", "{gte: true}", "[first]", "no number"),
        ("event_count", "{gte: .inf}", "[first]", "no number"),
        ("value_sum", "{gt: 2.5, lt: 2.5, field: f}", "[first]", "no number is"),
        ("event_count", "first and second", "[first, second]", "not a rule"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(
    kind: str, condition: str, rules: str, reason: str
) -> None:
    ruleset = loaded(f"  type: {kind}\n  rules: {rules}\n  condition: {condition}\n")
    assert ruleset.correlations == ()
    assert any(reason in refusal.reason for refusal in ruleset.refusals), [str(r) for r in ruleset.refusals]


def test_an_expression_alone_names_its_rules() -> None:
    ruleset = loaded("  type: temporal\n  condition: first and not third\n")
    assert ruleset.correlations[0].rules == (A, D)


@pytest.mark.parametrize(
    ("kind", "field", "record", "value"),
    [
        ("value_count", "name", {"name": "Kim"}, '["kim"]'),
        ("value_count", "name", {"name": 7}, '["7"]'),
        ("value_count", "name", {"name": None}, None),
        ("value_count", "name", {}, None),
        ("value_count", "[name, host]", {"name": "a", "host": "b"}, '["a", "b"]'),
        ("value_count", "[name, host]", {"name": "a"}, None),
        ("value_sum", "a.b", {"a": {"b": "12"}}, 12.0),
        ("value_sum", "a.b", {"a": {"b": 3}}, 3.0),
        ("value_sum", "a.b", {"a": {"b": True}}, None),
        ("value_sum", "a.b", {"a": {"b": "x"}}, None),
        ("value_sum", "a.b", {"a": {"b": [1, 2]}}, None),
    ],
)
def test_the_engine_reads_what_a_correlation_measures(
    make_event: Any, kind: str, field: str, record: Fields, value: str | float | None
) -> None:
    ruleset = loaded(f"  type: {kind}\n  rules: [first]\n  condition: {{gte: 1, field: {field}}}\n")
    [found] = Engine(ruleset).inspect(make_event({"f": A, **record})).matches
    assert found.value == value
    assert Match.from_json(found.to_json()) == found
