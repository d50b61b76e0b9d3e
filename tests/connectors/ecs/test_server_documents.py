"""Kubernetes audit events and Vault entries as documents: identities, commands, images, what is cut."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.ecs.event import event_document
from connectors.sources.catalogue import profile
from detectors.event import Locator

DATA = Path(__file__).parent.parent / "sources/data"
RECORDS = {
    kind: {
        case["case"]: case["record"]
        for case in map(json.loads, (DATA / f"{kind}.jsonl").read_text().splitlines())
    }
    for kind in ("kubernetes_audit", "vault_audit")
}


def kubernetes(name, **change):
    record = {**RECORDS["kubernetes_audit"][name], **change}
    return document("kubernetes_audit", record)


def vault(name, **change):
    return document("vault_audit", {**RECORDS["vault_audit"][name], **change})


def document(kind, record):
    return event_document(profile(kind).parse(record, Locator("t", 0, 1, 0)), "default", 0.0).body


def test_an_exec_is_a_process_with_the_first_word_of_its_command():
    uri = "/api/v1/namespaces/a/pods/b/exec?command=psql&command=-c&command=select+1&container=app&stdin=true"
    found = kubernetes("exec", requestURI=uri)
    assert found["process"] == {"args": ["psql"], "args_count": 3, "command_line": "psql"}
    assert found["container"] == {"name": "app"} and found["event"]["category"] == ["process"]
    assert found["url"]["path"].endswith("/exec")
    masked = "command=[redacted]"
    assert found["url"]["query"] == f"command=psql&{masked}&{masked}&container=app&stdin=true"


def test_a_secret_in_a_command_is_masked_in_every_field():
    secret = "hunter2" + "hunter2"
    for sign in ("%3D", "%3A%20", "%3A+"):
        uri = f"/api/v1/namespaces/a/pods/b/exec?command=psql&command=password{sign}{secret}"
        assert secret not in json.dumps(kubernetes("exec", requestURI=uri))


def test_an_impersonated_user_is_the_effective_one():
    found = kubernetes("impersonated")
    record = RECORDS["kubernetes_audit"]["impersonated"]
    assert found["user"]["name"] == record["user"]["username"]
    assert found["user"]["effective"]["name"] == record["impersonatedUser"]["username"]
    assert {found["user"]["name"], found["user"]["effective"]["name"]} <= set(found["related"]["user"])


def test_a_binding_names_who_gets_rights():
    subjects = [{"kind": "User", "name": "eve"}, {"kind": "Group", "name": "ops"}]
    found = kubernetes("binding", requestObject={"subjects": subjects})
    assert found["user"]["target"] == {"name": "eve"} and {"eve", "ops"} <= set(found["related"]["user"])
    assert found["event"]["category"] == ["iam"] and "admin" in found["event"]["type"]


def test_a_token_is_made_for_a_service_account():
    found = kubernetes("token")
    target = RECORDS["kubernetes_audit"]["token"]["objectRef"]
    assert found["user"]["target"]["name"] == f"system:serviceaccount:{target['namespace']}:{target['name']}"


def test_a_workload_names_its_image():
    made = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/app:1"}]}}}}
    target = {"resource": "deployments", "namespace": "shop", "name": "app", "apiVersion": "v1"}
    found = kubernetes("exec", objectRef=target, verb="create", requestObject=made)
    assert found["container"] == {"name": "app", "image": {"name": "shop/app:1"}}
    assert found["kubernetes"]["audit"]["requestObject"] == made


def test_a_request_lasts_from_its_arrival():
    found = kubernetes(
        "exec",
        requestReceivedTimestamp="2026-11-20T08:15:30.100000Z",
        stageTimestamp="2026-11-20T08:15:30.350000Z",
    )
    assert found["event"]["duration"] == 250_000_000
    assert found["event"]["start"] == "2026-11-20T08:15:30.100Z"


def test_a_verb_is_shown_as_its_method():
    assert kubernetes("secrets_list")["http"]["request"]["method"] == "GET"
    assert kubernetes("binding")["http"]["request"]["method"] == "POST"


def test_a_refusal_tells_reason_and_message():
    found = kubernetes("forbidden")
    assert found["error"]["code"] == "Forbidden" and found["http"]["response"]["status_code"] == 403


def test_truncation_is_labelled():
    found = kubernetes("exec", annotations={"audit.k8s.io/truncated": "true"})
    assert found["labels"] == {"truncated": "true"} and "labels" not in kubernetes("exec")


def test_a_login_to_vault_is_an_authentication():
    found = vault("login")
    assert (found["event"]["category"], found["event"]["type"]) == (["authentication"], ["start"])
    assert found["url"]["path"].startswith("/v1/auth/")


def test_the_account_that_a_path_names_is_the_target():
    request = {
        **RECORDS["vault_audit"]["login"]["request"],
        "path": "auth/userpass/users/eve",
        "operation": "create",
    }
    found = vault("login", request=request)
    assert found["user"]["target"] == {"name": "eve"} and "eve" in found["related"]["user"]
    assert (found["event"]["category"], found["event"]["type"]) == (["iam"], ["creation", "user"])


def test_the_source_of_a_vault_request():
    found = vault("kv_read")
    request = RECORDS["vault_audit"]["kv_read"]["request"]
    assert found["source"]["ip"] == request["remote_address"] == found["related"]["ip"][0]
    assert found["source"]["port"] == request["remote_port"]


def test_a_token_of_anybody_s_choice_in_a_path_does_not_leave():
    chosen = "my own/token of choice"
    for verb in ("lookup", "renew", "revoke", "revoke-orphan"):
        name, record = next(iter(RECORDS["vault_audit"].items()))
        found = vault(name, request={**record["request"], "path": f"auth/token/{verb}/{chosen}"})
        assert chosen not in json.dumps(found) and "own" not in json.dumps(found["url"])
        assert found["url"]["path"] == f"/v1/auth/token/{verb}/[redacted]"
        assert found["hashicorp_vault"]["audit"]["request"]["path"] == f"auth/token/{verb}/[redacted]"
