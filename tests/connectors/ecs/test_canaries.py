"""Secrets planted wherever a source may carry one are in no document, summary, explanation or dead letter."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.ecs.finding import alert_document
from connectors.kafka.dead_letter import dead_letter
from connectors.sources.catalogue import profile
from detectors.event import Event, Locator
from detectors.rules import builtin
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

# Built from parts, so that no scanner takes this file for a leak.
PLAIN = "canary" + "Q7w9" * 6
CODED = base64.b64encode(PLAIN.encode()).decode()
TOKEN = "hvs." + PLAIN
JWT = "eyJhbGciOiJSUzI1NiJ9" + "." + PLAIN + "." + "c2ln"
ENGINE = Engine(RuleSet.load(builtin()))
AT = "2026-11-23T10:00:00.000Z"

TRAIL: dict[str, Any] = {
    "eventVersion": "1.11",
    "eventTime": "2026-11-23T10:00:00Z",
    "eventID": "e",
    "eventSource": "ecs.amazonaws.com",
    "eventName": "RegisterTaskDefinition",
    "userIdentity": {"type": "IAMUser", "userName": "mira"},
}
AUDIT: dict[str, Any] = {
    "kind": "Event",
    "auditID": "a",
    "stage": "ResponseComplete",
    "verb": "patch",
    "requestURI": "/api/v1/namespaces/x/secrets/db",
    "user": {"username": "mira"},
    "objectRef": {"resource": "secrets", "namespace": "x", "name": "db", "apiVersion": "v1"},
    "responseStatus": {"code": 200},
    "stageTimestamp": AT,
}
POD = {"resource": "pods", "namespace": "x", "name": "db", "apiVersion": "v1"}
LINE: dict[str, Any] = {
    "start_time": AT,
    "response_code": 403,
    "response_code_details": "rbac_access_denied_matched_policy[none]",
    "method": "GET",
    "path": "/",
    "upstream_cluster": "inbound|80||",
    "request_id": "r",
    "downstream_remote_address": "10.0.0.1:4000",
}
VAULT: dict[str, Any] = {"time": AT, "type": "response", "auth": {"display_name": "mira"}}
ASKED = {"id": "503fe0c4", "operation": "update", "path": "kv/data/x", "mount_type": "kv"}

PLANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "task environment": (
        "cloudtrail",
        {**TRAIL, "requestParameters": {"environment": [{"name": "DB_PASSWORD", "value": PLAIN}]}},
    ),
    "database password": ("cloudtrail", {**TRAIL, "requestParameters": {"masterUserPassword": PLAIN}}),
    "session token": ("cloudtrail", {**TRAIL, "responseElements": {"credentials": {"sessionToken": PLAIN}}}),
    "manifest in a parameter": (
        "cloudtrail",
        {**TRAIL, "requestParameters": {"manifest": '{"kind":"Secret","data":{"a":"' + CODED + '"}}'}},
    ),
    "secret patched": (
        "kubernetes_audit",
        {**AUDIT, "requestObject": [{"op": "replace", "path": "/data/a", "value": CODED}]},
    ),
    "secret answered": ("kubernetes_audit", {**AUDIT, "responseObject": {"data": {"a": CODED}}}),
    "secret in an annotation of a pod's template": (
        "kubernetes_audit",
        {
            **AUDIT,
            "objectRef": POD,
            "requestObject": {"spec": {"x": {"annotations": {"y": '{"kind":"Secret","stringData":{"a":"'
                                                             + PLAIN + '"}}'}}}},
        },
    ),
    "command": (
        "kubernetes_audit",
        {
            **AUDIT,
            "verb": "create",
            "objectRef": {**POD, "subresource": "exec"},
            "requestURI": f"/api/v1/namespaces/x/pods/db/exec?command=mysql&command=-p{PLAIN}",
        },
    ),
    "token in a path": ("istio_access", {**LINE, "path": f"/login?access_token={PLAIN}"}),
    "bearer in a path": ("istio_access", {**LINE, "path": f"/x/{JWT}"}),
    "password of a peer": ("istio_access", {**LINE, "authority": f"http://u:{PLAIN}@db"}),
    "header of the mesh's choice": ("istio_access", {**LINE, "authorization": f"Bearer {PLAIN}"}),
    "data": ("vault_audit", {**VAULT, "request": {**ASKED, "data": {"data": {"a": PLAIN}}}}),
    "answer": ("vault_audit", {**VAULT, "request": ASKED, "response": {"data": {"a": PLAIN}}}),
    "token looked up": (
        "vault_audit",
        {**VAULT, "request": {**ASKED, "path": f"auth/token/lookup/{PLAIN}", "mount_type": "token"}},
    ),
    "token in a header": (
        "vault_audit",
        {**VAULT, "request": {**ASKED, "headers": {"x-vault-token": [TOKEN]}}},
    ),
    "token of the caller": ("vault_audit", {**VAULT, "request": {**ASKED, "client_token": PLAIN}}),
}  # fmt: skip


def leaks(text: str) -> list[str]:
    """Return which of the canaries stand in `text`."""
    return [canary for canary in (PLAIN, CODED) if canary in text]


def event(case: str) -> Event:
    """Return the event of a case."""
    kind, record = PLANTED[case]
    return profile(kind).parse(orjson.loads(orjson.dumps(record)), Locator("t", 0, 1, 0))


@pytest.mark.parametrize("case", PLANTED)
def test_no_document_has_it(case):
    assert leaks(orjson.dumps(PLANTED[case][1]).decode())
    assert leaks(event_document(event(case), "default", 0.0).payload.decode()) == []


@pytest.mark.parametrize("case", PLANTED)
def test_no_finding_has_it(case):
    found = ENGINE.inspect(event(case))
    said = [f"{finding.explain}{finding.entities}" for finding in found.findings]
    said += [f"{match.summary}{match.entities}{match.group}" for match in found.matches]
    said += [str(alert_document(finding, "default", 0.0)) for finding in found.findings]
    said.append(event(case).profile.summary(event(case)))
    assert leaks("".join(said)) == []


def test_some_of_the_planted_events_are_findings():
    assert any(ENGINE.inspect(event(case)).findings for case in PLANTED)
    assert any(ENGINE.inspect(event(case)).matches for case in PLANTED)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("case", PLANTED)
def test_no_dead_letter_has_it(case, wrapped):
    kind, record = PLANTED[case]
    value = orjson.dumps({key: item for key, item in record.items() if "ime" not in key})
    if wrapped:
        value = orjson.dumps({"log": value.decode(), "stream": "stdout"})
    letter = dead_letter(value, reason="missing_time", role="detect", source=kind, origin="t/0/1/0")
    assert leaks((letter.value or b"").decode()) == []
