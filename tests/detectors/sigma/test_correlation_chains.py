"""Correlations of correlations: order, refusals, groups through findings, the same for any arrival."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.event import Entity
from detectors.finding import Finding
from detectors.sigma.chaining import MAX_DEPTH, MAX_GROUPS_A_FINDING
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.groups import Groups
from detectors.sigma.match import Match
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.streaming import streamed
from detectors.sigma.window import Window

ID = "00000000-0000-4000-8000-{:012d}"
FAILED, LOGIN = ID.format(1), ID.format(2)
PLAIN = """title: {name}
id: {id}
name: {name}
logsource: {{product: test}}
detection: {{s: {{k: {name}}}, condition: s}}
"""
MANY = "type: event_count, rules: [failed], timespan: 10s, group-by: [user], condition: {gte: 3}"
SPREAD = (
    "type: value_count, rules: [failed], timespan: 10s, group-by: [host], condition: {gte: 2, field: user}"
)
THEN = "type: temporal_ordered, rules: [many, login], timespan: 20s, group-by: [user]"


def loaded(*correlations: tuple[str, str]) -> RuleSet:
    """Return a set of the two plain rules and of correlations, each a name and its section."""
    texts = [PLAIN.format(name=name, id=id_) for name, id_ in (("failed", FAILED), ("login", LOGIN))]
    for number, (name, section) in enumerate(correlations, 10):
        texts.append(f"title: {name}\nid: {ID.format(number)}\nname: {name}\ncorrelation: {{{section}}}\n")
    return RuleSet.load([RuleDocument(f"{n}.yml", text) for n, text in enumerate(texts)])


def match(
    ruleset: RuleSet, name: str, rule: str, number: int, time: float, user: str, host: str = "h"
) -> Match:
    """Return the match that the engine makes of an event with a user and a host."""
    item = next(item for item in ruleset.correlations if item.identity.name == name)
    known = {"user": user, "host": host}
    values = tuple(known[field] for field in (*item.group_by, *item.carried))
    width = len(item.group_by)
    return Match(
        item.id,
        rule,
        values[:width],
        f"e{number:02d}",
        time,
        "plain",
        "low",
        (Entity("k8s_user", user, "actor"),),
        f"{user} did it",
        user if item.value else None,
        (values[width:],) if item.carried else (),
    )


def finals(ruleset: RuleSet, matches: Sequence[Match], most: int = 1_000) -> list[Finding]:
    groups = Groups(most)
    for item in matches:
        groups.take([item])
    return list(groups.finals(ruleset.correlations))


def told(findings: Sequence[Finding]) -> list[tuple[str, tuple[str, ...], float, int]]:
    return [(item.title, item.event_ids, item.event_time, item.count) for item in findings]


def test_a_finding_is_a_match_when_its_condition_was_first_satisfied() -> None:
    ruleset = loaded(("then", THEN), ("many", MANY))
    assert ruleset.refusals == ()
    assert [item.identity.name for item in ruleset.correlations] == ["many", "then"]
    failures = [match(ruleset, "many", FAILED, n, 100 + n, "kim") for n in range(5)]
    [final] = finals(ruleset, [*failures, match(ruleset, "then", LOGIN, 9, 103, "kim")])
    assert final.title == "then"
    assert final.event_ids == ("e00", "e01", "e02", "e03", "e04", "e09")
    assert (final.count, final.first_time, final.event_time) == (6, 102, 103)
    assert final.explain.startswith("then: many: 5 events in 4 s (gte 3 in 10 s)")
    assert final.entities == (Entity("k8s_user", "kim", "actor"),)


def test_an_inner_correlation_is_quiet_unless_generate_says_so() -> None:
    assert [item.quiet for item in loaded(("many", MANY), ("then", THEN)).correlations] == [True, False]
    both = loaded(("many", MANY), ("then", THEN + ", generate: true"))
    assert [item.quiet for item in both.correlations] == [False, False]
    failures = [match(both, "many", FAILED, n, 100 + n, "kim") for n in range(3)]
    found = finals(both, [*failures, match(both, "then", LOGIN, 9, 110, "kim")])
    assert [item.title for item in found] == ["many", "then"]


def test_a_finding_belongs_to_the_group_of_each_of_its_events() -> None:
    ruleset = loaded(("spread", SPREAD), ("then", THEN.replace("many", "spread")))
    assert ruleset.correlations[0].carried == ("user",)
    failures = [match(ruleset, "spread", FAILED, n, 100 + n, user) for n, user in enumerate(("kim", "lee"))]
    logins = [match(ruleset, "then", LOGIN, 8, 110, "lee"), match(ruleset, "then", LOGIN, 9, 111, "max")]
    assert [item.event_ids for item in finals(ruleset, [*failures, *logins])] == [("e00", "e01", "e08")]


def test_a_finding_feeds_a_bounded_number_of_groups() -> None:
    ruleset = loaded(
        ("spread", SPREAD),
        ("each", "type: event_count, rules: [spread], timespan: 1m, group-by: [user], condition: {gte: 1}"),
    )
    crowd = [match(ruleset, "spread", FAILED, n, 100 + n / 100, f"u{n:03d}") for n in range(300)]
    assert len(finals(ruleset, crowd)) == MAX_GROUPS_A_FINDING


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"a": "b", "b": "a"}, "refers to itself: a -> b -> a"),
        ({"a": "a"}, "refers to itself: a -> a"),
        ({"a": "b", "b": "c", "c": "b"}, "refers to itself: b -> c -> b"),
        ({"a": "zz"}, "'zz', which is no loaded rule"),
    ],
)
def test_what_refers_in_a_circle_or_to_nothing_is_refused_by_name(
    sections: dict[str, str], reason: str
) -> None:
    one = "type: event_count, rules: [{}], timespan: 1m, group-by: [user], condition: {{gte: 1}}"
    ruleset = loaded(*((name, one.format(below)) for name, below in sections.items()))
    assert ruleset.correlations == ()
    assert len(ruleset.refusals) == len(sections)
    assert any(reason in refusal.reason for refusal in ruleset.refusals), [str(r) for r in ruleset.refusals]


def test_levels_are_bounded() -> None:
    one = "type: event_count, rules: [{}], timespan: 1m, group-by: [user], condition: {{gte: 1}}"
    names = ["failed", *(f"level{n}" for n in range(MAX_DEPTH + 1))]
    ruleset = loaded(*((name, one.format(below)) for below, name in itertools.pairwise(names)))
    assert len(ruleset.correlations) == MAX_DEPTH
    [refusal] = ruleset.refusals
    assert f"{MAX_DEPTH + 1} deep" in refusal.reason


def test_a_stream_refuses_chains_by_name_and_runs_the_rest() -> None:
    ruleset = loaded(("many", MANY), ("then", THEN), ("spread", SPREAD))
    out = streamed(ruleset)
    assert [item.identity.name for item in out.correlations] == ["many", "spread"]
    assert [item.quiet for item in out.correlations] == [False, False]
    assert {rule.identity.name: rule.quiet for rule in out.rules} == {"failed": True, "login": False}
    [refusal] = out.refusals
    assert "'then' is a correlation of correlations" in refusal.reason
    plain = loaded(("many", MANY))
    assert streamed(plain) is plain


TIMES = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["kim", "lee"]), st.booleans()), max_size=22)


@settings(max_examples=150, deadline=None)
@given(TIMES, st.randoms(use_true_random=False), st.sampled_from([MANY, SPREAD]))
def test_finals_of_chains_do_not_depend_on_arrival(
    events: list[tuple[int, str, bool]], chance: Random, inner: str
) -> None:
    ruleset = loaded(
        ("many", inner),
        ("then", THEN),
        ("twice", "type: event_count, rules: [then], timespan: 1m, group-by: [user], condition: {gte: 1}"),
    )
    assert ruleset.refusals == ()
    matches = [
        match(ruleset, "then" if login else "many", LOGIN if login else FAILED, n, float(time), user)
        for n, (time, user, login) in enumerate(events)
    ]
    expected = told(finals(ruleset, matches))
    mixed = [*matches, *matches[:3]]
    chance.shuffle(mixed)
    assert told(finals(ruleset, mixed)) == expected


def test_packed_groups_give_the_same_and_travel() -> None:
    ruleset = loaded(("many", MANY), ("spread", SPREAD), ("then", THEN))
    matches = [
        match(ruleset, name, rule, n, 100 + n / 3, f"u{n % 7}", f"h{n % 5}")
        for n in range(200)
        for name, rule in (("many", FAILED), ("spread", FAILED), ("then", LOGIN))
    ]
    matches += [replace_surrogate(matches[0])]
    expected = finals(ruleset, matches)
    assert expected
    packed = Groups(loose=7)
    for item in matches:
        packed.take([item])
    assert list(packed.finals(ruleset.correlations)) == expected
    first, second = Groups(loose=7), Groups(loose=7)
    first.take(matches[:250])
    for item in matches[250:]:
        second.take([item])
    first.add(pickle.loads(pickle.dumps(second)))
    assert list(first.finals(ruleset.correlations)) == expected
    assert len(first) == 0


def replace_surrogate(item: Match) -> Match:
    return item._replace(event_id="x\ud800", summary="\ud800")


def test_over_the_cap_the_oldest_groups_are_dropped_and_counted() -> None:
    ruleset = loaded(("many", MANY))
    groups = Groups(most=10)
    for n in range(3):
        groups.take([match(ruleset, "many", FAILED, n, 900 + n, "last")])
    for n in range(10):
        groups.take([match(ruleset, "many", FAILED, 10 + n, 100 + n, f"u{n}")])
    assert len(groups) == 9
    assert groups.dropped == {ruleset.correlations[0].id: 2}
    [final] = groups.finals(ruleset.correlations)
    assert final.event_ids == ("e00", "e01", "e02")


def test_a_group_beyond_what_a_window_holds_is_counted() -> None:
    ruleset = loaded(("many", MANY))
    groups = Groups()
    groups.take([match(ruleset, "many", FAILED, n, 100 + n / 1000, "kim") for n in range(2_600)])
    [final, *_] = groups.finals(ruleset.correlations)
    assert final.labels["overflow"] == "true"
    assert groups.overflow[ruleset.correlations[0].id] >= 600


def test_carried_values_and_events_survive_a_state() -> None:
    ruleset = loaded(("spread", SPREAD), ("then", THEN.replace("many", "spread")))
    window = Window()
    item = match(ruleset, "spread", FAILED, 1, 100.0, "kim")
    window.add([item, replace_events(item)], {FAILED: 0}, by_rule=False)
    again = Window.from_json(window.to_json())
    assert [held.evidence.carried for held in again.items] == [(("kim",),), (("kim",),)]
    assert [held.evidence.events for held in again.items] == [(), ("a", "b")]
    assert again.to_json() == window.to_json()


def replace_events(item: Match) -> Match:
    return item._replace(event_id="finding", events=("a", "b"))


def test_an_alias_also_names_the_value(make_event: Any) -> None:
    ruleset = loaded(
        (
            "names",
            "type: value_count, rules: [failed], timespan: 1m, group-by: [host], "
            "condition: {gte: 2, field: who}, aliases: {who: {failed: user}}",
        )
    )
    [found] = Engine(ruleset).inspect(make_event({"k": "failed", "user": "Kim", "host": "h"})).matches
    assert found.value == '["kim"]'


def test_the_engine_carries_what_an_outer_correlation_asks_for(make_event: Any) -> None:
    ruleset = loaded(("spread", SPREAD), ("then", THEN.replace("many", "spread")))
    [found] = Engine(ruleset).inspect(make_event({"k": "failed", "user": "Kim", "host": "h"})).matches
    assert (found.group, found.carried) == (("h",), (("Kim",),))
