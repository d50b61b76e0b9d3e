"""What an audit event is about, who did it, and which names it proves to be one thing."""

from __future__ import annotations

import copy

import pytest

from connectors.sources.kubernetes_entities import entities
from detectors.event import Alias, Entity


def test_exec_is_about_the_pod(event):
    found = event("kubernetes_audit", "exec")
    first = found.profile.entities(found)[0]
    target = found.fields["objectRef"]
    assert first == Entity("pod", f"{target['namespace']}/{target['name']}", "target")
    kinds = {(e.type, e.role) for e in found.profile.entities(found)}
    assert ("namespace", "target") in kinds and ("address", "source") in kinds


@pytest.mark.parametrize(
    ("case", "kind", "role"),
    [
        ("token", "service_account", "target"),
        ("mesh_policy", "namespace", "target"),
        ("secrets_list", "address", "source"),
        ("forbidden", "service_account", "actor"),
    ],
)
def test_primary_entity(event, case, kind, role):
    found = event("kubernetes_audit", case)
    first = found.profile.entities(found)[0]
    if first.type == "k8s_user":
        kind = "k8s_user"
    assert (first.type, first.role) == (kind, role)


def test_a_person_is_a_user_and_a_service_account_is_one(event):
    found = event("kubernetes_audit", "secrets_list", user={"username": "system:serviceaccount:a:b"})
    assert found.profile.entities(found)[0] == Entity("service_account", "a/b", "actor")
    found = event("kubernetes_audit", "secrets_list", user={"username": "mira@example"})
    assert found.profile.entities(found)[0] == Entity("k8s_user", "mira@example", "actor")


def test_forged_addresses_are_not_the_source(event):
    found = event("kubernetes_audit", "exec", sourceIPs=["198.51.100.9", "203.0.113.1", "10.0.0.5"])
    addresses = [e.id for e in found.profile.entities(found) if e.type == "address"]
    assert addresses == ["10.0.0.5"]
    assert "10.0.0.5" in found.profile.summary(found)


def test_a_node_proves_a_pods_address(event):
    found = event("kubernetes_audit", "pod_status")
    target = found.fields["objectRef"]
    pod = ("pod", f"{target['namespace']}/{target['name']}")
    ip = found.fields["requestObject"]["status"]["podIP"]
    assert Alias(pod, ("address", ip), found.time) in found.profile.aliases_in(found)


def test_service_account_of_a_pod_comes_with_its_spec(event, record):
    body = copy.deepcopy(record("kubernetes_audit", "pod_status")["requestObject"])
    body["spec"] = {"serviceAccountName": "loader"}
    found = event("kubernetes_audit", "pod_status", responseObject=body)
    namespace = found.fields["objectRef"]["namespace"]
    names = {alias.b for alias in found.profile.aliases_in(found)}
    assert ("service_account", f"{namespace}/loader") in names


@pytest.mark.parametrize(
    "change",
    [
        {"user": {"username": "mira@example"}},
        {"user": {"username": "system:serviceaccount:a:b"}},
        {"responseStatus": {"code": 403}},
        {"impersonatedUser": {"username": "system:node:n1"}},
        {"verb": "get"},
    ],
)
def test_nobody_else_proves_a_pods_address(event, change):
    found = event("kubernetes_audit", "pod_status", **change)
    assert not [alias for alias in found.profile.aliases_in(found) if alias.b[0] == "address"]


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0", "not an address", "10.20.1.12"])
def test_an_address_that_is_no_one_machine_proves_nothing(event, record, ip):
    body = copy.deepcopy(record("kubernetes_audit", "pod_status")["requestObject"])
    body["status"] |= {"podIP": ip, "hostIP": "10.20.1.12"}
    found = event("kubernetes_audit", "pod_status", requestObject=body)
    assert not [alias for alias in found.profile.aliases_in(found) if alias.b[0] == "address"]


def test_a_bound_token_proves_its_pod(event):
    found = event("kubernetes_audit", "bound_pod")
    alias = found.profile.aliases_in(found)[0]
    assert alias.a[0] == "service_account" and alias.b[0] == "pod"
    assert alias.a[1].partition("/")[0] == alias.b[1].partition("/")[0]


def test_the_same_audit_id_with_other_content_is_another_event(event):
    one = event("kubernetes_audit", "exec")
    other = event("kubernetes_audit", "exec", requestURI="/api/v1/secrets")
    audit_id = one.fields["auditID"]
    assert one.event_id.startswith(f"{audit_id}/{one.fields['stage']}/")
    assert one.event_id != other.event_id
    assert one.event_id == event("kubernetes_audit", "exec").event_id


def test_an_audit_id_of_the_callers_choice_is_hashed(event):
    found = event("kubernetes_audit", "exec", auditID="not a uuid/at all\n")
    assert found.event_id.startswith("x-") and "\n" not in found.event_id


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "success"),
        ({"responseStatus": {"code": 404}}, "failure"),
        ({"annotations": {"authorization.k8s.io/decision": "forbid"}}, "failure"),
        ({"responseStatus": None, "annotations": {}}, "unknown"),
    ],
)
def test_outcome(event, change, outcome):
    found = event("kubernetes_audit", "exec", **change)
    assert found.profile.outcome(found) == outcome


def test_a_subject_that_is_bound_twice_is_named_once():
    person = {"kind": "User", "name": "eve"}
    fields = {
        "verb": "create",
        "stage": "ResponseComplete",
        "objectRef": {"resource": "clusterrolebindings"},
        "user": {"username": "admin"},
        "requestObject": {"subjects": [person, person]},
    }
    assert [entity.id for entity in entities(fields)] == ["admin", "eve"]


def test_who_impersonates_itself_is_named_once():
    fields = {"user": {"username": "eve"}, "impersonatedUser": {"username": "eve"}, "verb": "get"}
    assert [entity.id for entity in entities(fields)] == ["eve"]
