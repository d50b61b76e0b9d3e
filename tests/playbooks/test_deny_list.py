"""What the deny list names, and that it names it in every kind that lies in a cluster."""

from __future__ import annotations

import pytest

from connectors.containment.catalogue import containment_types
from connectors.rotation.catalogue import handler_types
from connectors.rotation.kubernetes_handler import KubernetesTarget
from playbooks.denial import OWN_IDENTITY, Denial, denial_of
from playbooks.target import TargetRef

ENTITY = "6b2f0f3e-1111-4222-8333-444455556666"


def target(kind="database_static_role", mount="database", name="analytics", **more):
    return TargetRef(kind, mount, name, "internal", "o", **more)


@pytest.mark.parametrize(
    ("pattern", "held"),
    [
        ("database_static_role:database/analytics", True),
        ("*:database/*", True),
        ("database_static_role:database/Analytics", False),
        ("database_static_role:database/analytic?", False),
        ("database_static_role:database/[a]nalytics", False),
        ("analytics", False),
    ],
)
def test_only_a_star_stands_for_anything(pattern, held):
    assert (denial_of(target(), [Denial("e", targets=(pattern,))]) == "e") is held


def test_an_entry_for_a_target_holds_for_each_of_its_instances():
    entry = Denial("e", targets=("vault_approle:approle/app",))
    assert denial_of(target("vault_approle", "approle", "app/accessor-1"), [entry]) == "e"
    assert denial_of(target("vault_approle", "approle", "apps"), [entry]) is None


def test_logins_know_no_case_and_the_first_entry_is_named():
    entries = [Denial("a", logins=frozenset({"x"})), Denial("b", logins=frozenset({"davylamp"}))]
    assert denial_of(target(login="DavyLamp"), entries) == "b"
    assert denial_of(target(login=""), entries) is None


@pytest.mark.parametrize(
    "one",
    [
        target("vault_entity", "identity", ENTITY),
        target("vault_token", "token", f"tokens/{ENTITY}"),
    ],
)
def test_our_own_identity_is_denied_without_any_entry(one):
    own = {("vault_entity", ENTITY), ("vault_token", ENTITY)}
    assert denial_of(one, [], own) == OWN_IDENTITY
    assert denial_of(one, [], {("vault_entity", "x")}) is None


def kinds_of_a_cluster() -> list[str]:
    rotations = [k for k, made in handler_types().items() if issubclass(made.TARGET, KubernetesTarget)]
    return sorted([*containment_types(), *rotations])


@pytest.mark.parametrize("kind", kinds_of_a_cluster())
def test_a_namespace_and_an_account_are_denied_in_every_kind_of_a_cluster(kind):
    one = target(kind, "vault", "vault")
    for entity in (("namespace", "vault"), ("service_account", "vault/vault")):
        assert denial_of(one, [Denial("e", entities=frozenset({entity}))]) == "e"
    assert denial_of(one, [Denial("e", entities=frozenset({("namespace", "other")}))]) is None
