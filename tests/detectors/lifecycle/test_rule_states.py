"""What is left of a rule set when drafts and retired rules sleep, and what a gate does to a finding."""

from __future__ import annotations

from msgspec.structs import replace

from detectors.alias import RULE_ID as ALIAS
from detectors.event import Entity
from detectors.exception.entry import Exemption, Matcher
from detectors.exception.exemptions import Exemptions
from detectors.finding import Finding
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.held import is_held
from detectors.lifecycle.state import Standing, awake
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

A, B, C = (f"{n * 8}-0000-4000-8000-000000000000" for n in "abc")
TEXT = f"""title: A
id: {A}
name: a
logsource: {{product: kubernetes, service: audit}}
detection: {{s: {{verb: create}}, condition: s}}
---
title: B
id: {B}
logsource: {{product: kubernetes, service: audit}}
detection: {{s: {{verb: delete}}, condition: s}}
---
title: C
id: {C}
correlation: {{type: event_count, rules: [a], group-by: [user.username], timespan: 1m, condition: {{gte: 3}}}}
"""
SAID = Finding(
    rule_id=B, title="t", level="high", base_level="high", status="final", source="kubernetes_audit",
    event_id="e", event_ids=("e",), event_time=10.0, first_time=10.0, last_time=10.0, count=1,
    entities=(Entity("k8s_user", "ci", "actor"),), attack=(), explain="x", finding_id="f",
    labels={"playbook": "p"},
)  # fmt: skip


def standing(state: str) -> Standing:
    return Standing(state, 0.0, "me", "")


def left(**states: str) -> tuple[dict[str, bool], list[str]]:
    loaded = RuleSet.load([RuleDocument("rules.yml", TEXT)])
    assert not loaded.refusals and len(loaded.rules) == 2
    ids = {"a": A, "b": B, "c": C}
    found = awake(loaded, {ids[name]: standing(state) for name, state in states.items()})
    return {r.id: r.quiet for r in found.rules}, [c.id for c in found.correlations]


def test_drafts_and_retired_rules_are_not_evaluated():
    assert left() == ({A: True, B: False}, [C])
    assert left(b="draft") == ({A: True}, [C])
    assert left(b="shadow", c="retired") == ({A: True, B: False}, [])


def test_a_part_of_a_correlation_in_force_stays_without_a_voice():
    assert left(a="draft") == ({A: True, B: False}, [C])
    assert left(a="draft", c="draft") == ({B: False}, [])


def test_shadow_and_exceptions_keep_the_finding_and_say_who_holds_it():
    for_ci = Exemption("ci", frozenset({B}), (Matcher("k8s_user", ("ci",)),), "o", "r", "t", 0.0, 99.0)
    gate = Gate.of(Exemptions([for_ci]), {B: standing("shadow")})
    held = gate.judge(SAID)
    assert held.labels == {"playbook": "p", "held": "exception", "exception": "ci"} and is_held(held)
    assert replace(held, labels=SAID.labels) == SAID
    late = gate.judge(replace(SAID, event_time=100.0, first_time=100.0, last_time=100.0))
    assert late.labels == {"playbook": "p", "held": "shadow"}


def test_what_has_no_exception_passes_as_it_is():
    assert Gate().judge(SAID) is SAID
    gate = Gate.of(Exemptions(), {ALIAS: standing("shadow")})
    named = replace(SAID, rule_id=ALIAS)
    assert gate.judge(named) is named


def test_a_label_of_another_text_holds_nothing():
    assert not is_held(replace(SAID, labels={"held": "because"}))
