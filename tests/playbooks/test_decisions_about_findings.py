"""What a finding leads to: alias, context, incident under a key, targets to rotate."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.event import Entity
from detectors.finding import Finding
from playbooks.credential import parse_credential, targets_named
from playbooks.decision import actors_of, decide, own_actor
from playbooks.intake import MAX_ENTITIES, bounded

NOW = 1_780_000_000.0
CREDENTIAL = ("credential", "database:database/analytics", "target")


@pytest.mark.parametrize(
    ("level", "kind"),
    [
        ("informational", "informational"),
        ("low", "context"),
        ("medium", "incident"),
        ("critical", "incident"),
    ],
)
def test_the_level_decides_whether_an_incident_opens(policy, make_finding, level, kind):
    assert decide(make_finding(CREDENTIAL, level=level), policy, NOW).kind == kind


def test_a_credential_is_what_the_incident_is_about_wherever_it_stands(policy, make_finding):
    found = decide(make_finding(("vault_entity", "e", "actor"), CREDENTIAL), policy, NOW)
    assert found.primary == ("credential", "database:database/analytics")
    assert [target.name for target in found.targets] == ["analytics"]


def test_a_playbook_that_does_not_rotate_plans_nothing(policy, make_finding):
    found = decide(make_finding(CREDENTIAL, labels={"playbook": "pod-exec"}), policy, NOW)
    assert (found.playbook_id, found.targets) == ("pod-exec", ())


def test_denied_reads_call_for_no_rotation(policy, make_finding):
    (rule, _) = policy.playbooks["leaked-credential"].rotation.except_rules
    found = decide(make_finding(CREDENTIAL, rule_id=rule, level="medium"), policy, NOW)
    assert (found.kind, found.targets) == ("incident", ())


def test_the_loss_of_records_is_log_tampering(policy, make_finding):
    lost = make_finding(("host", "kafka/a/0", "source"), rule_id="davylamp-lost-before-read", labels={})
    assert decide(lost, policy, NOW).playbook_id == "log-tampering"


def test_the_playbook_comes_from_label_then_rules_then_triage(policy, make_finding):
    bare = make_finding(CREDENTIAL, labels={})
    assert decide(bare, policy, NOW).playbook_id == "triage"
    assert (
        decide(msgspec.structs.replace(bare, labels={"playbook": "no-such"}), policy, NOW).playbook_id
        == "triage"
    )
    mapped = replace(policy, rule_playbooks={"rule-1": "log-tampering"})
    assert decide(bare, mapped, NOW).playbook_id == "log-tampering"


def test_old_findings_are_stale_and_plan_nothing(policy, make_finding):
    found = decide(make_finding(CREDENTIAL, event_time=NOW - 86_401), policy, NOW)
    assert (found.stale, found.targets) == (True, ())
    assert not decide(make_finding(CREDENTIAL, event_time=NOW - 86_399), policy, NOW).stale


def test_own_use_without_intent_is_critical_and_about_the_credential(policy, make_finding):
    found = decide(make_finding(CREDENTIAL, level="low"), policy, NOW, own_unexplained=True)
    assert (found.kind, found.level, found.playbook_id) == ("incident", "critical", "leaked-credential")


def test_only_an_actor_can_be_davylamp_itself(policy, make_finding):
    own = replace(policy, own_identities=frozenset({("vault_entity", "me")}))
    assert own_actor(make_finding(("vault_entity", "me", "actor")), own)
    assert not own_actor(make_finding(("vault_entity", "me", "target")), own)


def test_actors_are_who_acted_or_else_where_it_came_from(make_finding):
    assert actors_of(make_finding(("k8s_user", "eve", "actor"), ("address", "1.2.3.4", "source"))) == (
        "k8s_user:eve",
    )
    assert actors_of(make_finding(("address", "1.2.3.4", "source"))) == ("address:1.2.3.4",)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("credential", "database:database/analytics", ("database", "analytics")),
        ("credential", "database:team/db/analytics", ("team/db", "analytics")),
        ("secret", "database/static-creds/analytics", ("database", "analytics")),
        ("secret", "team/db/static-creds/analytics", ("team/db", "analytics")),
        ("secret", "database/creds/analytics", None),
        ("secret", "database/static-creds/analytics/more", None),
        ("credential", "iam:alice", None),
        ("credential", "database:analytics", None),
        ("pod", "database/static-creds/analytics", None),
    ],
)
def test_which_credential_an_entity_names(kind, text, expected):
    assert parse_credential(kind, text) == expected


def test_a_target_named_twice_is_planned_once(policy):
    entities = [Entity(*CREDENTIAL), Entity("secret", "database/static-creds/analytics", "target")]
    assert len(targets_named(entities, policy.targets)) == 1


@given(
    st.lists(st.tuples(st.text(max_size=20), st.text(max_size=900), st.text(max_size=9)), max_size=100),
    st.text(),
)
def test_any_finding_becomes_one_that_can_be_kept(entities, text):
    made = Finding(
        text, text, "high", "high", "final", text, text, (text,), NOW, NOW, NOW, 1,
        tuple(Entity(*e) for e in entities), (text,), text, text,
    )  # fmt: skip
    kept = bounded(made)
    assert len(kept.finding_id) == 36
    assert len(kept.entities) <= MAX_ENTITIES
    assert all(len(e.id.encode()) <= 512 and "\x00" not in e.id for e in kept.entities)
    assert bounded(kept) == kept
