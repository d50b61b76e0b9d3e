"""Which credential a vault entry hands out, to whom, and what it proves."""

from __future__ import annotations

import pytest

from connectors.sources.vault_path import credential
from detectors.event import Contact, Entity


def test_a_static_role_read_is_about_the_credential(event):
    found = event("vault_audit", "static_read")
    entities = found.profile.entities(found)
    role = found.fields["request"]["path"].rpartition("/")[2]
    assert entities[0] == Entity("credential", f"database:database/{role}", "target")
    assert [e.type for e in entities] == ["credential", "secret", "vault_entity", "vault_token", "address"]
    assert entities[1].id == found.fields["request"]["path"]


def test_a_dynamic_role_read_is_about_the_credential(event):
    found = event("vault_audit", "dynamic_read")
    assert found.profile.entities(found)[0].id.startswith("database:database/")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"path": "database/static-creds/a"}, "database:database/a"),
        (
            {"path": "team/db/creds/a", "mount_point": "team/db/", "mount_type": "database"},
            "database:team/db/a",
        ),
        ({"path": "aws/creds/a", "mount_point": "aws/", "mount_type": "aws"}, "aws:aws/a"),
        ({"path": "db/creds/a", "namespace": {"path": "ns1/"}}, "database:ns1/db/a"),
        ({"path": "database/static-roles/a"}, None),
        ({"path": "database/creds/"}, None),
        ({"path": "database/creds/a/b"}, None),
        ({"path": "creds"}, None),
        ({"path": 7}, None),
        ({}, None),
    ],
)
def test_credential_of_a_path(request_, expected):
    assert credential({"request": request_}) == expected


def test_an_answered_read_is_a_contact(event):
    found = event("vault_audit", "static_read")
    (contact,) = found.profile.contacts(found)
    assert contact == Contact(
        "credential_reader",
        ("vault_entity", found.fields["auth"]["entity_id"]),
        ("credential", found.profile.entities(found)[0].id),
        0,
    )


def test_a_request_line_or_a_refusal_is_no_contact(event):
    for change in ({"type": "request"}, {"error": "permission denied"}):
        found = event("vault_audit", "static_read", **change)
        assert found.profile.contacts(found) == ()


def test_entity_and_service_account_are_one(event):
    found = event("vault_audit", "static_read_by_service_account")
    meta = found.fields["auth"]["metadata"]
    pairs = {(alias.a[0], alias.b) for alias in found.profile.aliases_in(found)}
    account = f"{meta['service_account_namespace']}/{meta['service_account_name']}"
    assert ("vault_entity", ("service_account", account)) in pairs
    assert ("vault_token", ("address", found.fields["request"]["remote_address"])) in pairs


def test_loopback_stands_for_nobody(event, record):
    request = {**record("vault_audit", "static_read")["request"], "remote_address": "127.0.0.1"}
    found = event("vault_audit", "static_read", request=request)
    assert not [alias for alias in found.profile.aliases_in(found) if alias.b[0] == "address"]


@pytest.mark.parametrize(
    ("case", "outcome"),
    [("denied", "failure"), ("silent_login_failure", "failure"), ("static_read", "success")],
)
def test_outcome(event, case, outcome):
    found = event("vault_audit", case)
    assert found.profile.outcome(found) == outcome


def test_the_id_is_request_and_type(event):
    found = event("vault_audit", "static_read")
    assert found.event_id == f"{found.fields['request']['id']}/response"
    found = event("vault_audit", "static_read", request={"path": "sys/health"})
    assert found.event_id == "t/0/7/0"


def test_a_token_in_a_path_is_not_named(event):
    token = "hvs." + "A1b2C3d4" * 4
    found = event("vault_audit", "denied", request={"path": f"auth/token/lookup/{token}"})
    said = found.profile.summary(found) + "".join(e.id for e in found.profile.entities(found))
    assert token not in said
