"""The engine: routing, index, findings, matches, and events that try to break it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.types import SigmaNull, SigmaNumber, SigmaString

from connectors.sources.catalogue import SOURCES
from detectors.event import Event, Fields, LogSource
from detectors.finding import finding_id
from detectors.rules import builtin
from detectors.sigma.condition import And, Condition, Leaf, Not, Or
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.index import Index
from detectors.sigma.path import lookup
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.values import value_test

Make = Callable[[Fields], Event]
A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
BASE = """title: Base {n}
id: {id}
level: high
tags: [attack.t1609]
logsource: {{product: test}}
detection:
  s: {{f: a}}
  condition: s
"""
COUNT = f"""title: Many
id: {B}
level: high
correlation:
  type: event_count
  rules: [{A}]
  group-by: [user, peer, missing]
  timespan: 5m
  condition: {{gte: 3}}
"""


def engine(*texts: str) -> Engine:
    ruleset = RuleSet.load(RuleDocument(str(n), text) for n, text in enumerate(texts))
    assert ruleset.refusals == ()
    return Engine(ruleset)


def test_finding_of_a_plain_rule(make_event: Make) -> None:
    [finding] = (
        engine(BASE.format(n=1, id=A)).inspect(make_event({"f": "A", "id": "e1", "time": 5.0})).findings
    )
    assert (finding.rule_id, finding.level, finding.base_level, finding.status) == (
        A,
        "high",
        "high",
        "final",
    )
    assert finding.finding_id == finding_id(A, 1, ["e1"])
    assert (finding.event_ids, finding.event_time, finding.count) == (("e1",), 5.0, 1)
    assert finding.explain == "Base 1: nobody did nothing"
    assert finding.attack == ("T1609",)


def test_denied_is_one_level_less(make_event: Make) -> None:
    [finding] = engine(BASE.format(n=1, id=A)).inspect(make_event({"f": "a", "denied": True})).findings
    assert (finding.level, finding.base_level) == ("medium", "high")


def test_hostile_text_cannot_break_the_sentence(make_event: Make) -> None:
    fields: Fields = {"f": "a", "user": "x\n\u202eevil\x00" + "y" * 5000}
    [finding] = engine(BASE.format(n=1, id=A)).inspect(make_event(fields)).findings
    assert finding.explain.isprintable()
    assert len(finding.explain) <= 600


def test_correlated_rule_gives_matches_and_no_finding(make_event: Make) -> None:
    fields: Fields = {"f": "a", "id": "e1", "user": "kim", "peer": "10.0.0.7:50123", "time": 2.0}
    inspection = engine(BASE.format(n=1, id=A), COUNT).inspect(make_event(fields))
    assert not inspection.findings
    [match] = inspection.matches
    assert match.group == ("kim", "10.0.0.7", None)
    assert match.key() == f'{B}|["kim","10.0.0.7",null]'
    assert (match.rule, match.event_id, match.time, match.level) == (A, "e1", 2.0, "high")


def test_generate_gives_both(make_event: Make) -> None:
    both = COUNT.replace("  type:", "  generate: true\n  type:")
    inspection = engine(BASE.format(n=1, id=A), both).inspect(make_event({"f": "a"}))
    assert (len(inspection.findings), len(inspection.matches)) == (1, 1)


def test_long_group_values_are_bounded_and_stay_apart(make_event: Make) -> None:
    made = engine(BASE.format(n=1, id=A), COUNT)
    groups = {
        made.inspect(make_event({"f": "a", "user": "u" * 10_000 + tail})).matches[0].group
        for tail in ("1", "2")
    }
    assert len(groups) == 2
    assert all(len(str(group[0])) <= 200 for group in groups)


def test_log_source_keys_must_agree(make_event: Make) -> None:
    profile = make_event({}).profile
    assert routes(LogSource("TEST", None, None), profile)
    assert routes(LogSource(None, "plain", None), profile)
    assert not routes(LogSource("test", "plain", "anything"), profile)
    assert not routes(LogSource("test", "other", None), profile)
    assert not routes(LogSource("aws", "plain", None), profile)


def test_rule_of_another_source_is_never_tried(make_event: Make) -> None:
    other = BASE.format(n=1, id=A).replace("product: test", "product: aws")
    assert not engine(other).inspect(make_event({"f": "a"})).findings


def test_a_fault_is_counted_and_other_rules_go_on(make_event: Make) -> None:
    long = BASE.format(n=1, id=A).replace("{f: a}", "{g|re: x.y}")
    made = engine(long, BASE.format(n=2, id=B))
    inspection = made.inspect(make_event({"f": "a", "g": "x" * 70_000, "id": "e1"}))
    assert [(error.rule_id, error.event_id, error.reason) for error in inspection.errors] == [
        (A, "e1", "TextTooLongError")
    ]
    assert [finding.rule_id for finding in inspection.findings] == [B]


def test_minus_zero_is_not_taken_for_zero(make_event: Make) -> None:
    made = engine(BASE.format(n=1, id=A).replace("{f: a}", '{f: "-0.0"}'))
    assert [len(made.inspect(make_event({"f": value})).findings) for value in (0.0, -0.0, 0, -0.0)] == [
        *(0, 1, 0, 1)
    ]


@pytest.mark.parametrize("text", [" 10", "10 ", "1_0", "\uff11\uff10", "0x10", "ten", "", "10" * 40])
def test_numeric_text_is_plain_ascii(make_event: Make, text: str) -> None:
    made = engine(BASE.format(n=1, id=A).replace("{f: a}", "{f|gt: 1}"))
    assert not made.inspect(make_event({"f": text})).findings
    assert all(made.inspect(make_event({"f": known})).findings for known in ("10", "+1e1", "10.", "010"))


def test_numeric_text_is_not_rounded(make_event: Make) -> None:
    made = engine(BASE.format(n=1, id=A).replace("{f: a}", "{f: 9007199254740992}"))
    assert made.inspect(make_event({"f": "9007199254740992"})).findings
    assert not made.inspect(make_event({"f": "9007199254740993"})).findings


def test_half_a_surrogate_pair_is_one_odd_character(make_event: Make) -> None:
    made = engine(BASE.format(n=1, id=A).replace("{f: a}", r"{f|re: '^\?$'}"))
    assert not made.inspect(make_event({"f": "\ud800"})).findings
    assert made.inspect(make_event({"f": "?"})).findings


@pytest.mark.parametrize("product", ["{}", "[test]", "1", "true"])
def test_a_log_source_that_is_no_text_is_refused_and_stops_no_other_rule(
    make_event: Make, product: str
) -> None:
    broken = BASE.format(n=1, id=A).replace("product: test", f"product: {product}")
    loaded = RuleSet.load([RuleDocument("1.yml", broken), RuleDocument("2.yml", BASE.format(n=2, id=B))])
    assert [refusal.path for refusal in loaded.refusals] == ["1.yml"]
    assert "product" in loaded.refusals[0].reason
    assert [finding.rule_id for finding in Engine(loaded).inspect(make_event({"f": "a"})).findings] == [B]


def nested(depth: int) -> Any:
    value: Any = "a"
    for _ in range(depth):
        value = [value]
    return value


def test_hostile_records_raise_nothing(make_event: Make) -> None:
    keyword = BASE.format(n=3, id=B).replace("{f: a}", "[needle]")
    made = engine(BASE.format(n=1, id=A), keyword)
    values: list[Any] = [10**400, float("nan"), float("inf"), "\ud800", {"\ud800": "\udfff"}, [[], {}], True]
    for value in values:
        assert not made.inspect(make_event({"f": value})).errors


def test_a_record_too_deep_to_read_is_counted_and_other_rules_go_on(make_event: Make) -> None:
    made = engine(BASE.format(n=1, id=A), BASE.format(n=2, id=B).replace("{f: a}", "{g: b}"))
    inspection = made.inspect(make_event({"f": nested(5000), "g": "b"}))
    assert [(error.rule_id, error.reason) for error in inspection.errors] == [(A, "RecursionError")]
    assert [finding.rule_id for finding in inspection.findings] == [B]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a", "B", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f", "g", "h"]), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(["f", "g", "f.g", "h"]), JSON, max_size=4)
VALUES = st.one_of(
    st.sampled_from(["a", "b", "ab", "a*", "*b", "*a*", "?", ""]).map(SigmaString),
    st.sampled_from([0, 1, 2]).map(SigmaNumber),
    st.just(SigmaNull()),
)
LEAVES = st.builds(
    Leaf,
    st.sampled_from(["f", "g", "f.g", "f.g.h", "h"]),
    st.lists(VALUES, min_size=1, max_size=3).map(tuple),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(And)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or)
        | inner.map(Not)
    ),
    max_leaves=6,
)


def oracle(condition: Condition, fields: Fields) -> bool:
    """The plain reading of a condition, without index, source generation or order of tests."""
    match condition:
        case And(parts):
            return all(oracle(part, fields) for part in parts)
        case Or(parts):
            return any(oracle(part, fields) for part in parts)
        case Not(part):
            return not oracle(part, fields)
        case Leaf(path, values):
            return any(value_test([value])(lookup(path)(fields)) for value in values)
        case _:
            raise AssertionError(condition)


@settings(max_examples=400, deadline=None)
@given(condition=CONDITIONS, fields=RECORDS)
def test_compiled_and_indexed_agree_with_the_plain_reading(condition: Condition, fields: Any) -> None:
    expected = oracle(condition, fields)
    assert compile_predicate(condition, {})(fields) is expected
    if expected:
        rule = Rule(IDENTITY, LogSource("test", None, None), condition)
        assert Index([rule], [], PROFILE).candidates(fields)


class _Profile:
    kind = "plain"
    logsources = (LogSource("test", "plain", None),)
    aliases: ClassVar[dict[str, str]] = {}


PROFILE: Any = _Profile()
IDENTITY = engine(BASE.format(n=1, id=A)).ruleset.rules[0].identity
SHIPPED = [compile_predicate(rule.condition, {}) for rule in RuleSet.load(builtin()).rules]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["eventName", "verb", "objectRef", "request", "type", "error"]), JSON))
def test_shipped_rules_survive_any_record(fields: Any) -> None:
    assert all(holds(fields) in (True, False) for holds in SHIPPED)


@pytest.mark.parametrize(
    ("logsource", "kinds"),
    [
        (LogSource("aws", "cloudtrail", None), {"cloudtrail"}),
        (LogSource("kubernetes", "audit", "application"), {"kubernetes_audit"}),
        (LogSource("kubernetes", None, None), {"kubernetes_audit"}),
        (LogSource(None, "audit", None), {"kubernetes_audit", "vault_audit"}),
        (LogSource(None, None, "webserver"), {"istio_access"}),
        (LogSource("apache", None, "webserver"), set()),
        (LogSource("windows", "security", None), set()),
    ],
)
def test_a_rule_goes_to_the_sources_that_its_log_source_means(logsource: LogSource, kinds: set[str]) -> None:
    assert {kind for kind, source in SOURCES.items() if routes(logsource, source)} == kinds
