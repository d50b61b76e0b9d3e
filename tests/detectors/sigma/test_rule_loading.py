"""Loading: everything loads or is refused with file, line, rule id, reason and way out."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
GOOD = f"""title: good
id: {A}
name: good_rule
level: high
logsource: {{product: test}}
detection:
  s: {{f: a}}
  condition: s
"""


def load(*texts: str) -> RuleSet:
    return RuleSet.load(RuleDocument(f"r{place}.yml", text) for place, text in enumerate(texts))


REFUSED: list[tuple[str, str, str, int]] = [
    ("bad YAML", "title: x\n  a: [", "not YAML", 2),
    ("duplicate key", GOOD + "level: low\n", "Duplicate key", 9),
    ("not a mapping", "- a\n- b\n", "a rule is a mapping", 1),
    ("a status that forbids its use", GOOD + "status: unsupported\n", "its author says", 9),
    ("another taxonomy", GOOD + "taxonomy: acme\n", "taxonomy is acme", 9),
    ("timeframe", GOOD.replace("  condition:", "  timeframe: 5m\n  condition:"), "`timeframe`", 8),
    ("bad id", GOOD.replace(A, "abc"), "must be an UUID", 1),
    ("bad level", GOOD.replace("high", "huge"), "huge", 4),
    ("no log source", GOOD.replace("logsource: {product: test}\n", ""), "log source", 1),
    ("unknown modifier", GOOD.replace("{f: a}", "{f|frobnicate: a}"), "frobnicate", 7),
    ("unknown detection", GOOD.replace("condition: s", "condition: t"), "'t'", 8),
    ("selector of nothing", GOOD.replace("condition: s", "condition: 1 of x*"), "selects no detection", 1),
    ("broken condition", GOOD.replace("condition: s", "condition: s and"), "Expected", 8),
    ("old pipe", GOOD.replace("condition: s", "condition: s | count() > 5"), "pipe syntax", 8),
    ("bad regular expression", GOOD.replace("{f: a}", "{f|re: '('}"), "(", 7),
    ("look-around", GOOD.replace("{f: a}", "{f|re: '(?=a)b'}"), "linear time", 7),
    ("back-reference", GOOD.replace("{f: a}", r"{f|re: '(a)\1'}"), "linear time", 7),
    ("placeholder", GOOD.replace("{f: a}", "{f|expand: '%admins%'}"), "%admins%", 7),
    ("bad cidr", GOOD.replace("{f: a}", "{f|cidr: 10.0.0.0/99}"), "CIDR", 7),
    ("action document", "action: global\ntitle: x\n", "action", 1),
    ("long path", GOOD.replace("{f: a}", "{" + ".".join("abcdefghijklmnopq") + ": a}"), "17 segments", 7),
    ("bad version", GOOD + "davylamp: {version: 0}\n", "version", 9),
    ("bad own field", GOOD + "davylamp: {book: x}\n", "unknown keys: book", 9),
]


@pytest.mark.parametrize(
    ("text", "reason", "line"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_by_name(text: str, reason: str, line: int) -> None:
    ruleset = load(text)
    assert ruleset.rules == ()
    [refusal] = ruleset.refusals
    assert refusal.path == "r0.yml"
    assert reason in refusal.reason
    assert refusal.way_out
    assert refusal.line == line


def test_a_bad_rule_does_not_take_others_with_it() -> None:
    ruleset = load(
        GOOD.replace("{f: a}", "{f|nope: a}").replace(A, B).replace("good_rule", "x") + "---\n" + GOOD
    )
    assert [rule.id for rule in ruleset.rules] == [A]
    assert [(item.rule_id, item.line) for item in ruleset.refusals] == [(B, 7)]


def test_every_error_is_collected_at_once() -> None:
    bad = GOOD.replace("high", "huge").replace("{f: a}", "{f|nope: a}")
    assert len(load(bad, "x: [").refusals) == 3


def test_duplicate_id_is_an_error_that_names_the_first() -> None:
    ruleset = load(GOOD, GOOD.replace("good_rule", "other"))
    assert len(ruleset.rules) == 1
    [refusal] = ruleset.refusals
    assert refusal.path == "r1.yml"
    assert "r0.yml:1" in refusal.reason
    assert refusal.line == 2


def test_duplicate_name_is_an_error() -> None:
    [refusal] = load(GOOD, GOOD.replace(A, B)).refusals
    assert "name good_rule" in refusal.reason


def test_empty_documents_and_files_are_nothing() -> None:
    ruleset = load("", "---\n---\n", "# only a comment\n")
    assert ruleset == RuleSet((), (), ())


CORRELATION = f"""title: many
id: {B}
level: high
correlation:
  type: event_count
  rules: [good_rule]
  group-by: [user]
  timespan: 5m
  condition: {{gte: 3}}
"""


def test_correlation_is_loaded_and_silences_its_rule() -> None:
    ruleset = load(CORRELATION, GOOD)
    assert ruleset.refusals == ()
    [correlation] = ruleset.correlations
    assert (correlation.kind, correlation.op, correlation.count) == ("event_count", "gte", 3)
    assert correlation.timespan_s == 300
    assert correlation.fields == {A: ("user",)}
    assert ruleset.rules[0].quiet


def test_generate_keeps_the_rules_own_findings() -> None:
    ruleset = load(CORRELATION.replace("  type:", "  generate: true\n  type:"), GOOD)
    assert not ruleset.rules[0].quiet


def test_correlation_aliases_name_the_field_of_each_rule() -> None:
    text = CORRELATION.replace("[user]", "[who]") + "  aliases:\n    who: {good_rule: a.b}\n"
    assert load(text, GOOD).correlations[0].fields == {A: ("a.b",)}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("event_count", "value_count", "field"),
        ("type: event_count", "type: temporal", "at least two rules"),
        ("type: event_count", "type: nonsense", "nonsense"),
        ("[good_rule]", "[absent]", "'absent'"),
        ("timespan: 5m", "timespan: 5x", "5x"),
        ("  condition: {gte: 3}\n", "", "condition"),
    ],
)
def test_correlation_refused_by_name(old: str, new: str, reason: str) -> None:
    ruleset = load(GOOD, CORRELATION.replace(old, new))
    assert ruleset.correlations == ()
    assert any(reason in refusal.reason for refusal in ruleset.refusals), [str(r) for r in ruleset.refusals]
    assert len(ruleset.rules) == 1


FILTER = f"""title: ours
id: {B}
logsource: {{product: test}}
filter:
  rules: [good_rule]
  known: {{user: robot}}
  condition: not known
"""


def test_filter_for_an_unknown_rule_is_refused() -> None:
    ruleset = load(GOOD, FILTER.replace("good_rule", "absent"))
    assert len(ruleset.rules) == 1
    assert "'absent'" in ruleset.refusals[0].reason


@pytest.mark.parametrize(
    ("condition", "user", "found"),
    [
        ("not known", "robot", False),
        ("not known", "kim", True),
        ("known", "robot", True),
        ("known", "kim", False),
    ],
)
def test_a_filter_is_anded_as_it_is_written(make_event: Any, condition: str, user: str, found: bool) -> None:
    ruleset = load(GOOD, FILTER.replace("not known", condition))
    assert ruleset.refusals == ()
    assert bool(Engine(ruleset).inspect(make_event({"f": "a", "user": user})).findings) is found


EXPANDED = GOOD.replace("{f: a}", "{f|expand: 'role/%admins%'}")


@pytest.mark.parametrize(("value", "found"), [("role/kim", True), ("role/ops-1", True), ("role/eve", False)])
def test_placeholders_take_the_operators_values(make_event: Any, value: str, found: bool) -> None:
    ruleset = RuleSet.load([RuleDocument("r", EXPANDED)], {"admins": ["kim", "ops-*", 7]})
    assert ruleset.refusals == ()
    assert bool(Engine(ruleset).inspect(make_event({"f": value})).findings) is found


def test_a_placeholder_without_values_refuses_the_rule() -> None:
    ruleset = RuleSet.load([RuleDocument("r", EXPANDED)], {"others": ["kim"]})
    assert ruleset.rules == ()
    assert "detection.placeholders" in ruleset.refusals[0].way_out


def test_custom_fields_are_kept() -> None:
    ruleset = load(
        GOOD + "davylamp: {playbook: pod-exec, version: 3}\ntags: [attack.t1609, attack.execution]\n"
    )
    identity = ruleset.rules[0].identity
    assert (identity.playbook, identity.version) == ("pod-exec", 3)
    assert identity.attack == ("T1609",)
    assert identity.tags == ("attack.t1609", "attack.execution")
    assert ruleset.playbooks == {A: "pod-exec"}


NAMELESS = GOOD.replace(f"id: {A}\n", "").replace("name: good_rule\n", "")


def test_a_rule_without_an_id_gets_one_of_its_content() -> None:
    first, again = load(NAMELESS), RuleSet.load([RuleDocument("elsewhere/b.yml", "\n\n" + NAMELESS)])
    changed = load(NAMELESS.replace("{f: a}", "{f: b}"))
    assert (first.refusals, again.refusals, changed.refusals) == ((), (), ())
    assert first.rules[0].id == again.rules[0].id != changed.rules[0].id


def test_what_people_are_told_of_a_rule_does_not_change_its_id() -> None:
    told = NAMELESS.replace("level: high", "level: low") + "description: more\nauthor: someone\n"
    assert load(told).rules[0].id == load(NAMELESS).rules[0].id


def test_one_content_twice_without_an_id_is_a_duplicate() -> None:
    loaded = load(NAMELESS, NAMELESS)
    assert len(loaded.rules) == 1
    assert "is taken by r0.yml:1" in loaded.refusals[0].reason


def test_yes_and_no_without_quotes_are_booleans(make_event: Any) -> None:
    ruleset = load(GOOD.replace("{f: a}", "{f|exists: no, g|exists: yes}"))
    found = [
        bool(Engine(ruleset).inspect(make_event(e)).findings) for e in ({"g": 1}, {"f": 1, "g": 1}, {"f": 1})
    ]
    assert found == [True, False, False]


def test_a_deprecated_rule_loads() -> None:
    assert load(GOOD + "status: deprecated\n").refusals == ()
