"""What the entities of a finding lead to: configured targets, instances, or a line that says what lacks."""

from __future__ import annotations

import pytest

from detectors.event import Entity
from playbooks.naming import MAX_LINES, MAX_TARGETS, targets_for
from playbooks.target import TargetRef

USER = "arn:aws:iam::123456789012:user/etl"
SESSION = "arn:aws:sts::123456789012:assumed-role/etl/i-0abc"
ROLE = "arn:aws:iam::123456789012:role/jobs/etl"
HOSTILE = ("../root", "a/b", "x\ny", "a b", "", "x" * 200, "a..b", "\u0430bc", "a?list=true", "%2e", "*")


def ref(kind: str, mount: str, name: str, *named_as: tuple[str, str]) -> TargetRef:
    return TargetRef(kind, mount, name, "internal", "data", named_as)


TARGETS = (
    ref("database_static_role", "database", "analytics"),
    ref("database_dynamic_leases", "database", "reports", ("secret", "database/creds/reports")),
    ref("database_static_pair", "database", "orders", ("credential", "database:database/orders-a")),
    ref("aws_iam_access_key", "secret", "etl", ("secret", "secret/data/etl/aws"), ("iam_principal", USER)),
    ref("aws_role_sessions", "aws", "etl", ("iam_role", "123456789012/etl")),
    ref("vault_token", "token", "any"),
    ref("vault_entity", "identity", "0f4a7c1e"),
    ref("vault_approle", "approle", "ingest", ("vault_entity", "0f4a7c1e")),
    ref("kubernetes_service_account", "payments", "web"),
)


def keys(*entities: tuple[str, str, str], targets: tuple[TargetRef, ...] = TARGETS) -> list[str]:
    made = [Entity(*entity) for entity in entities]  # type: ignore[arg-type]
    return [target.key for target in targets_for(made, targets).targets]


def missing(*entities: tuple[str, str, str], targets: tuple[TargetRef, ...] = TARGETS) -> tuple[str, ...]:
    made = [Entity(*entity) for entity in entities]  # type: ignore[arg-type]
    return targets_for(made, targets).missing


@pytest.mark.parametrize(
    ("entity", "key"),
    [
        (("credential", "database:database/analytics", "target"), "database_static_role:database/analytics"),
        (("credential", "database:database/reports", "target"), "database_dynamic_leases:database/reports"),
        (("secret", "database/creds/reports", "target"), "database_dynamic_leases:database/reports"),
        (("credential", "database:database/orders-a", "target"), "database_static_pair:database/orders"),
        (("secret", "secret/data/etl/aws", "target"), "aws_iam_access_key:secret/etl"),
        (("iam_principal", SESSION, "actor"), "aws_role_sessions:aws/etl"),
        (("iam_principal", ROLE, "actor"), "aws_role_sessions:aws/etl"),
        (("vault_token", "aB3.accessor", "actor"), "vault_token:token/any/aB3.accessor"),
        (("service_account", "payments/web", "actor"), "kubernetes_service_account:payments/web"),
    ],
)
def test_an_entity_leads_to_its_target(entity, key):
    assert keys(entity) == [key]
    assert missing(entity) == ()


def test_an_entity_leads_to_its_brake_and_to_the_login_behind_it():
    assert keys(("vault_entity", "0f4a7c1e", "actor")) == [
        "vault_entity:identity/0f4a7c1e",
        "vault_approle:approle/ingest",
    ]


def test_a_key_leads_to_the_target_of_the_user_who_acted_with_it():
    used = [("access_key", "AKIA00000000EXAMPLE0", "actor"), ("iam_principal", USER, "actor")]
    assert keys(*used) == ["aws_iam_access_key:secret/etl"]


def test_a_key_made_for_a_user_by_somebody_else_does_not_rotate_that_users_own():
    made = [("access_key", "AKIA00000000EXAMPLE0", "actor"), ("iam_principal", USER, "target")]
    assert keys(*made) == []
    assert "names no IAM user" in missing(*made)[0]


def test_a_role_that_was_only_reached_is_not_cut_off():
    assert keys(("iam_principal", ROLE, "target")) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_accessor_is_refused_and_told_on_one_line(text):
    assert keys(("vault_token", text, "actor")) == []
    (line,) = missing(("vault_token", text, "actor"))
    assert line.endswith("is not the accessor of a token")
    assert "\n" not in line
    assert len(line) < 160


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "kind", ["vault_entity", "service_account", "access_key", "credential", "secret", "iam_principal"]
)
def test_a_hostile_name_never_leads_to_a_target(kind, text):
    assert keys((kind, text, "actor")) == []
    assert keys((kind, f"database:database/{text}", "actor")) == []


@pytest.mark.parametrize(
    ("entity", "lacks"),
    [
        (("vault_token", "acc", "actor"), "has no target of kind vault_token"),
        (("vault_entity", "e", "actor"), "has no target of kind vault_entity"),
        (("service_account", "a/b", "actor"), "has no target of kind kubernetes_service_account"),
        (("iam_principal", SESSION, "actor"), "kind aws_role_sessions with that role and account_id"),
        (("credential", "database:db/x", "target"), "has no target of kind database_static_role"),
    ],
)
def test_what_no_target_can_act_on_is_said(entity, lacks):
    assert keys(entity, targets=()) == []
    assert lacks in missing(entity, targets=())[0]


def test_of_two_targets_for_tokens_none_is_guessed():
    two = (ref("vault_token", "token", "one"), ref("vault_token", "token", "two"))
    assert keys(("vault_token", "acc", "actor"), targets=two) == []
    assert "fits several" in missing(("vault_token", "acc", "actor"), targets=two)[0]


def test_our_own_token_is_never_a_target():
    named = targets_for([Entity("vault_token", "acc", "actor")], TARGETS, {("vault_token", "acc")})
    assert named.targets == ()
    assert "Davylamp's own" in named.missing[0]


def test_one_finding_leads_to_few_targets_and_few_lines():
    many = [Entity("vault_token", f"acc{number}", "actor") for number in range(100)]
    named = targets_for(many, TARGETS)
    assert len(named.targets) == MAX_TARGETS
    assert named.missing == ("92 of 100 targets are left out: too many",)
    assert (
        len(targets_for([Entity("vault_token", f"{n} ", "actor") for n in range(99)], TARGETS).missing)
        == MAX_LINES
    )
