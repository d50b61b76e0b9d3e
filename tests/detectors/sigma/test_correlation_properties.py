"""Correlations: same finals for any arrival order, duplicates and splits; the same ids on replay."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.event import Entity, Fields
from detectors.finding import Finding
from detectors.sigma.correlation import advance, due, is_idle
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationKind, CorrelationRule, Identity, Operator

IDENTITY = Identity(
    "c", None, "Many", "", "high", ("T1",), (), (), (), version=1, playbook="pod-exec", path="c.yml", line=1
)
LATENESS = 15.0


def rule(kind: CorrelationKind, op: Operator = "gte", count: int = 3, steps: int = 1) -> CorrelationRule:
    rules = tuple("abcdef"[:steps])
    return CorrelationRule(
        IDENTITY, kind, rules, ("user",), dict.fromkeys(rules, ("user",)), 10.0, op, count, False
    )


def match(event_id: str, time: float, rule_id: str = "a") -> Match:
    entities = (Entity("k8s_user", "kim", "actor"), Entity("pod", event_id, "target"))
    return Match("c", rule_id, ("kim",), event_id, time, "plain", "low", entities, f"kim did {event_id}")


def run(
    correlation: CorrelationRule, batches: Iterable[Sequence[Match]], lateness: float = LATENESS
) -> list[Finding]:
    """Feed batches as `correlate` does: the watermark follows what was seen; the end closes everything."""
    state: Fields = {}
    findings: list[Finding] = []
    newest = -math.inf
    for batch in batches:
        newest = max([newest, *(item.time for item in batch)])
        step = advance(correlation, state, batch, newest - lateness)
        state = json.loads(json.dumps(step.state))
        findings += step.findings
    step = advance(correlation, state, [], math.inf)
    return [*findings, *step.findings]


def finals(findings: Iterable[Finding]) -> list[Finding]:
    """Final findings without `confirms`: what went out before depends on the order of arrival."""
    return [replace(item, confirms=()) for item in findings if item.status == "final"]


def scattered(matches: Sequence[Match], delays: Sequence[float]) -> list[list[Match]]:
    """One match a batch, each arriving its delay after its time: within lateness, in any order."""
    arrivals = sorted(zip(matches, delays, strict=False), key=lambda pair: (pair[0].time + pair[1], pair[1]))
    return [[item] for item, _ in arrivals]


TIMES = st.lists(st.integers(0, 60), min_size=0, max_size=25)
DELAYS = st.lists(st.floats(0, LATENESS - 0.5), min_size=25, max_size=25)
COUNTS = st.sampled_from([rule("event_count", op, n) for op in ("gt", "gte") for n in (1, 2, 3, 5)])
ANY_COUNT = st.sampled_from(
    [rule("event_count", op, n) for op in ("gt", "gte", "lt", "lte", "eq", "neq") for n in (1, 2, 4)]
)
ORDERED = st.sampled_from([rule("temporal_ordered", "gte", n, steps=n) for n in (2, 3)])


def counted(times: Sequence[int]) -> list[Match]:
    return [match(f"e{place}", float(time)) for place, time in enumerate(times)]


def stepped(times: Sequence[int]) -> list[Match]:
    return [match(f"e{place}", float(time), "abc"[place % 3]) for place, time in enumerate(times)]


@settings(max_examples=300, deadline=None)
@given(ANY_COUNT, TIMES, DELAYS)
def test_event_count_finals_do_not_depend_on_arrival(
    correlation: CorrelationRule, times: list[int], delays: list[float]
) -> None:
    matches = counted(times)
    at_once = finals(run(correlation, [matches]))
    assert finals(run(correlation, scattered(matches, delays))) == at_once
    assert finals(run(correlation, [[item] for item in sorted(matches, key=lambda m: m.time)])) == at_once


@settings(max_examples=300, deadline=None)
@given(ORDERED, TIMES, DELAYS)
def test_temporal_ordered_finals_do_not_depend_on_arrival(
    correlation: CorrelationRule, times: list[int], delays: list[float]
) -> None:
    matches = stepped(times)
    at_once = finals(run(correlation, [matches]))
    assert finals(run(correlation, scattered(matches, delays))) == at_once


@settings(max_examples=200, deadline=None)
@given(st.one_of(COUNTS, ORDERED), TIMES, DELAYS, st.integers(1, 5))
def test_duplicates_and_replays_change_nothing(
    correlation: CorrelationRule, times: list[int], delays: list[float], again: int
) -> None:
    matches = counted(times) if correlation.kind == "event_count" else stepped(times)
    batches = scattered(matches, delays)
    once = run(correlation, batches)
    replayed = [
        [*batch, *itertools.chain.from_iterable(batches[max(0, place - again) : place])]
        for place, batch in enumerate(batches)
    ]
    assert run(correlation, replayed) == once


@settings(max_examples=200, deadline=None)
@given(st.one_of(COUNTS, ORDERED), TIMES, DELAYS)
def test_every_provisional_is_confirmed(
    correlation: CorrelationRule, times: list[int], delays: list[float]
) -> None:
    matches = counted(times) if correlation.kind == "event_count" else stepped(times)
    findings = run(correlation, scattered(matches, delays))
    provisional = [item.finding_id for item in findings if item.status == "provisional"]
    confirmed = {name for item in findings for name in item.confirms}
    assert len(provisional) == len(set(provisional))
    assert set(provisional) == confirmed
    assert not {item.finding_id for item in findings if item.status == "final"} & set(provisional)


@settings(max_examples=200, deadline=None)
@given(COUNTS, TIMES)
def test_event_count_findings_satisfy_and_never_overlap(
    correlation: CorrelationRule, times: list[int]
) -> None:
    matches = counted(times)
    found = finals(run(correlation, [matches]))
    needed = correlation.count + (correlation.op == "gt")
    used: set[str] = set()
    for finding in found:
        assert finding.count >= needed
        assert finding.last_time - finding.first_time <= correlation.timespan_s
        assert not used & set(finding.event_ids)
        used |= set(finding.event_ids)
    ordered = sorted(times)
    reachable = any(b - a <= 10 for a, b in zip(ordered, ordered[needed - 1 :], strict=False))
    assert bool(found) == reachable


@settings(max_examples=200, deadline=None)
@given(ORDERED, TIMES)
def test_temporal_ordered_findings_are_in_order(correlation: CorrelationRule, times: list[int]) -> None:
    matches = stepped(times)
    by_id = {item.event_id: item for item in matches}
    found = finals(run(correlation, [matches]))
    for finding in found:
        assert finding.last_time - finding.first_time <= correlation.timespan_s
        assert has_chain(correlation, [by_id[name] for name in finding.event_ids])
    assert len({name for item in found for name in item.event_ids}) == sum(item.count for item in found)
    assert bool(found) == has_chain(correlation, matches)


def has_chain(correlation: CorrelationRule, matches: Sequence[Match]) -> bool:
    """The plain reading: any choice of one match a rule, in order, within the span."""
    return any(
        all(b.time - a.time >= 0 for a, b in itertools.pairwise(chain))
        and chain[-1].time - chain[0].time <= correlation.timespan_s
        for chain in itertools.product(
            *([m for m in matches if m.rule == name] for name in correlation.rules)
        )
    )


@settings(max_examples=100, deadline=None)
@given(st.one_of(ANY_COUNT, ORDERED), TIMES, DELAYS)
def test_no_finding_comes_before_it_is_due(
    correlation: CorrelationRule, times: list[int], delays: list[float]
) -> None:
    state: Fields = {}
    newest = -math.inf
    for batch in scattered(counted(times), delays):
        newest = max(newest, batch[0].time)
        state = dict(advance(correlation, state, batch, newest - LATENESS).state)
        wanted = due(state)
        if wanted is not None:
            step = advance(correlation, state, [], wanted)
            assert not step.findings
        else:
            assert not state["held"]
    assert is_idle(dict(advance(correlation, state, [], math.inf).state), math.inf, 0.0)
