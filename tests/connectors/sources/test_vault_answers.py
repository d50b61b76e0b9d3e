"""Vault entries of every form: how they end, whom they name, and that no token is ever shown."""

from __future__ import annotations

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Entity, Locator

VAULT = profile("vault_audit")
PLACE = Locator("t", 0, 7, 0)
TIME = "2026-11-23T06:09:13.292511847Z"
AUTH = {
    "accessor": "hmac-sha256:11",
    "client_token": "hmac-sha256:22",
    "display_name": "kubernetes-shop",
    "entity_id": "6f1d0000-0000-4000-8000-000000000001",
    "policies": ["default", "shop"],
    "policy_results": {"allowed": True, "granting_policies": [{"name": "shop", "type": "acl"}]},
    "token_type": "service",
}
REQUEST = {
    "id": "503fe0c4-d6d3-4865-a1d1-c80fcd10f682",
    "operation": "read",
    "mount_point": "database/",
    "mount_type": "database",
    "namespace": {"id": "root"},
    "path": "database/creds/shop",
    "remote_address": "10.0.0.4",
}


def entry(kind="response", *, auth=AUTH, request=None, **more):
    record = {"time": TIME, "type": kind, "auth": auth, "request": {**REQUEST, **(request or {})}, **more}
    return VAULT.parse(record, PLACE)


def test_a_pair_is_two_events_and_only_the_answer_knows_the_outcome():
    asked, answered = entry("request"), entry("response", response={"data": {"username": "hmac-sha256:33"}})
    assert asked.event_id.removesuffix("request") == answered.event_id.removesuffix("response")
    assert VAULT.outcome(asked) == "unknown" and VAULT.outcome(answered) == "success"
    assert VAULT.contacts(asked) == () and len(VAULT.contacts(answered)) == 1


def test_kmip_entries_are_questions_and_answers():
    request = {"operation": "kmip", "path": "kmip/", "mount_type": "kmip", "mount_point": "kmip/"}
    assert VAULT.outcome(entry("kmip-request", request=request)) == "unknown"
    answered = entry("kmip-response", request=request)
    assert VAULT.outcome(answered) == "success" and answered.event_id.endswith("/kmip-response")


FORBIDDEN = {**AUTH, "policy_results": {"allowed": False}}


@pytest.mark.parametrize(
    "event",
    [
        entry(error="1 error occurred:\n\t* permission denied\n\n"),
        entry("request", auth=FORBIDDEN),
        entry(
            "request",
            auth=FORBIDDEN,
            error="2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n",
        ),
        entry(
            auth={}, request={"path": "auth/userpass/login/x"}, response={"data": {"error": "hmac-sha256:44"}}
        ),
        entry(request={"mount_type": "kv", "path": "kv/x"}, response={"data": {"error": "hmac-sha256:44"}}),
        entry(response={"data": {"errors": ["hmac-sha256:44"]}}),
        entry(response={"data": {"http_status_code": 404, "http_raw_body": "hmac-sha256:55"}}),
    ],
    ids=["error", "policy", "policy and error", "silent login", "bad path", "errors", "raw status"],
)
def test_every_form_of_a_refusal_fails(event):
    assert VAULT.outcome(event) == "failure"
    assert VAULT.summary(event).endswith("and was refused")
    assert VAULT.contacts(event) == () and VAULT.aliases_in(event) == ()


@pytest.mark.parametrize(
    "event",
    [
        entry(request={"mount_type": "kv", "path": "kv/x"}, response={"data": {"error": "x"}, "secret": {}}),
        entry(request={"mount_type": "kv", "path": "kv/x"}, response={"data": {"error": "x", "user": "y"}}),
        entry(request={"path": "sys/health"}, response={"data": {"http_status_code": 429}}),
        entry(response={"data": {"http_status_code": 200}}),
        entry(
            response={"data": {"keys": 4, "key_info": 4}},
            request={"operation": "list", "path": "kv/metadata/"},
        ),
        entry(response={"warnings": ["error"], "data": {"error": ""}}),
    ],
    ids=[
        "a key called error",
        "beside others",
        "standby's health",
        "raw answer",
        "elided list",
        "empty error",
    ],
)
def test_what_only_looks_like_a_refusal_succeeds(event):
    assert VAULT.outcome(event) == "success"


def test_a_help_operation_without_an_id_goes_by_its_place():
    event = entry(
        auth={"token_type": "default"}, request={"id": None, "operation": "help", "path": "sys/mounts"}
    )
    assert event.event_id == "t/0/7/0"
    assert VAULT.entities(event)[-1] == Entity("address", "10.0.0.4", "source")


def test_vault_s_own_test_of_a_device_is_said_to_be_one():
    request = {"id": "21e29f23-3b72-03a4-070a-35f7543b9981", "operation": "update", "path": "sys/audit/test"}
    record = {"time": TIME, "type": "request", "auth": {"token_type": "default"}, "request": request}
    event = VAULT.parse(record, PLACE)
    assert VAULT.summary(event) == "vault itself tried whether an audit device can be written"
    assert VAULT.entities(event) == [Entity("secret", "sys/audit/test", "target")]
    forged = VAULT.parse({**record, "request": {**request, "remote_address": "10.0.0.4"}}, PLACE)
    assert "10.0.0.4" in VAULT.summary(forged)


def test_two_namespaces_have_two_secrets_of_one_path():
    def secret(path):
        event = entry(
            request={"namespace": {"id": "a1b2", "path": path}, "path": "kv/data/app", "mount_type": "kv"}
        )
        return VAULT.entities(event)[0]

    assert secret("team-a/") == Entity("secret", "team-a/kv/data/app", "target") != secret("team-b/")


def test_a_refused_token_is_known_by_the_request_s_accessor():
    event = entry(auth={}, error="permission denied", request={"client_token_accessor": "hmac-sha256:66"})
    assert Entity("vault_token", "hmac-sha256:66", "actor") in VAULT.entities(event)


def test_headers_and_forwarding_are_kept_and_name_nobody():
    event = entry(
        request={"headers": {"user-agent": ["vault/1"], "x-forwarded-for": ["6.6.6.6"]}},
        forwarded_from="node-2:8201",
    )
    assert event.fields["forwarded_from"] == "node-2:8201"
    assert {found.id for found in VAULT.entities(event)}.isdisjoint({"6.6.6.6", "node-2:8201"})


def test_entries_of_both_products_are_one_kind():
    for version in ("v1.21.0+builtin.vault", "v2.7.2+builtin.bao"):
        event = entry(
            request={"mount_running_version": version, "mount_class": "secret"},
            response={"mount_running_plugin_version": version, "data": {"password": "hmac-sha256:77"}},
        )
        assert VAULT.entities(event)[0] == Entity("credential", "database:database/shop", "target")
