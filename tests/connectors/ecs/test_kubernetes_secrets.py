"""No secret of Kubernetes, no token and no argument of a command stands in an audit event's document."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ecs.event import event_document
from connectors.ecs.kubernetes_body import readable
from connectors.ecs.kubernetes_command import without_arguments
from connectors.ecs.redaction import MASK
from connectors.sources.catalogue import profile
from detectors.event import Locator

PLAIN = "canary" + "Q7w9"
CODED = base64.b64encode(PLAIN.encode()).decode()
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "Opaque",
    "metadata": {"name": "db", "namespace": "x", "labels": {"app": "db"}},
    "data": {"pgpass": CODED},
}
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(SECRET)}
TABLE = {"kind": "Table", "rows": [{"cells": ["db", PLAIN], "object": SECRET}]}
CSR = {"kind": "CertificateSigningRequest", "spec": {"request": CODED, "signerName": "x"}}

# Each: resource, its subresource, verb, and what stands in requestObject or responseObject.
BODIES: dict[str, tuple[str, str | None, str, Any]] = {
    "created": ("secrets", None, "create", SECRET),
    "without a kind": ("secrets", None, "create", {"data": {"pgpass": CODED}}),
    "stringData": ("secrets", None, "create", {**SECRET, "stringData": {"a": PLAIN}}),
    "looks hashed": ("secrets", None, "update", {"stringData": {"a": "hmac-sha256:" + PLAIN}}),
    "merge patch": ("secrets", None, "patch", {"data": {"pgpass": CODED}}),
    "strategic patch": ("secrets", None, "patch", {"$patch": "merge", "stringData": {"a": PLAIN}}),
    "apply": (
        "secrets",
        None,
        "patch",
        {**SECRET, "stringData": {"a": PLAIN}, "metadata": {"managedFields": []}},
    ),
    "json patch": ("secrets", None, "patch", [{"op": "replace", "path": "/data/pgpass", "value": CODED}]),
    "json patch of all": (
        "secrets",
        None,
        "patch",
        [{"op": "add", "path": "/stringData", "value": {"a": PLAIN}}],
    ),
    "json patch test": (
        "secrets",
        None,
        "patch",
        [{"op": "test", "path": "/data/n", "value": int("11" + "235813")}],
    ),
    "json patch of nothing": ("secrets", None, "patch", [CODED, {"path": "", "value": SECRET}]),
    "applied": ("secrets", None, "patch", {"metadata": {"annotations": APPLIED}}),
    "applied by others": (
        "secrets",
        None,
        "patch",
        {"metadata": {"annotations": {"mine/copy": json.dumps(SECRET)}}},
    ),
    "metadata patched": (
        "secrets",
        None,
        "patch",
        [{"op": "add", "path": "/metadata", "value": {"annotations": APPLIED}}],
    ),
    "list": ("secrets", None, "list", {"kind": "SecretList", "items": [SECRET]}),
    "table": ("secrets", None, "list", TABLE),
    "text": ("secrets", None, "patch", CODED),
    "config map": ("configmaps", None, "create", {"kind": "ConfigMap", "data": {"app.conf": PLAIN}}),
    "config map bytes": ("configmaps", None, "create", {"binaryData": {"app.conf": CODED}}),
    "deletion": ("secrets", None, "delete", SECRET),
    "secret elsewhere": ("mirrors", None, "create", SECRET),
    "token": ("serviceaccounts", "token", "create", {"kind": "TokenRequest", "status": {"token": PLAIN}}),
    "token review": ("tokenreviews", None, "create", {"kind": "TokenReview", "spec": {"token": PLAIN}}),
    "csr": ("certificatesigningrequests", None, "create", CSR),
    "env": (
        "pods",
        None,
        "create",
        {"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": PLAIN}]}]}},
    ),
    "env patched": (
        "deployments",
        None,
        "patch",
        [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": PLAIN}],
    ),
    "password patched": (
        "databases",
        None,
        "patch",
        [{"op": "add", "path": "/spec/password", "value": PLAIN}],
    ),
    "applied on another": ("deployments", None, "patch", {"metadata": {"annotations": APPLIED}}),
    "applied patched": (
        "deployments",
        None,
        "patch",
        [{"op": "add", "path": "/metadata/annotations", "value": APPLIED}],
    ),
    "applied patched alone": (
        "deployments",
        None,
        "patch",
        [
            {
                "op": "add",
                "value": json.dumps(SECRET),
                "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
            }
        ],
    ),
}


def record(resource: str, subresource: str | None, verb: str, **more: Any) -> dict[str, Any]:
    """Return an answered audit event."""
    target = {"resource": resource, "namespace": "x", "name": "db", "apiVersion": "v1"}
    if subresource:
        target["subresource"] = subresource
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/x/{resource}/db",
        "verb": verb,
        "user": {"username": "a"},
        "sourceIPs": ["10.0.0.1"],
        "objectRef": target,
        "responseStatus": {"code": 200},
        "stageTimestamp": "2026-11-23T10:00:00.000000Z",
        **more,
    }


def said(value: dict[str, Any]) -> str:
    """Return all that leaves of an event: document, summary, entities."""
    event = profile("kubernetes_audit").parse(value, Locator("t", 0, 0, 0))
    sent = event_document(event, "default", 0.0).payload.decode()
    return sent + event.profile.summary(event) + "".join(found.id for found in event.profile.entities(event))


def leaks(text: str) -> list[str]:
    """Return which of the canaries stand in `text`."""
    return [canary for canary in (PLAIN, CODED, "11" + "235813") if canary in text]


@pytest.mark.parametrize("side", ["requestObject", "responseObject"])
@pytest.mark.parametrize("case", BODIES)
def test_no_body_lets_a_secret_out(case, side):
    resource, subresource, verb, body = BODIES[case]
    value = record(resource, subresource, verb, **{side: body})
    assert leaks(orjson.dumps(value).decode())
    assert leaks(said(value)) == []


@pytest.mark.parametrize("case", [case for case in BODIES if BODIES[case][0] == "secrets"])
def test_a_cut_event_without_its_object_hides_by_its_path(case):
    value = record("secrets", None, "patch", requestObject=BODIES[case][3])
    del value["objectRef"]
    assert leaks(said(value)) == []


def test_what_is_harmless_of_a_secret_stays():
    found = readable(record("secrets", None, "create", requestObject=SECRET))["requestObject"]
    assert found == {**SECRET, "data": {"pgpass": MASK}}
    patch = [{"op": "replace", "path": "/data/pgpass", "value": CODED}]
    found = readable(record("secrets", None, "patch", requestObject=patch))["requestObject"]
    assert found == [{"op": "replace", "path": "/data/pgpass", "value": MASK}]


def test_a_patch_of_something_else_stays():
    patch = [{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "mallory"}}]
    value = record("clusterrolebindings", None, "patch", requestObject=patch)
    assert readable(value) == value


def test_what_a_webhook_changed_in_a_secret_stays_inside():
    note = json.dumps(
        {"patch": [{"op": "add", "path": "/data/pgpass", "value": CODED}], "patchType": "JSONPatch"}
    )
    key = "patch.webhook.admission.k8s.io/round_0_index_0"
    value = record("secrets", None, "create", level="Metadata", annotations={key: note})
    assert leaks(said(value)) == []


def test_an_error_that_quotes_the_body_is_cut():
    message = f'json: cannot unmarshal, error found in #10 byte of ...|rd":"{PLAIN}"|..., bigger context'
    value = record("secrets", None, "create", responseStatus={"code": 400, "message": message})
    text = said(value)
    assert leaks(text) == [] and "json: cannot unmarshal" in text


COMMANDS = [
    f"command=mysql&command=-p{PLAIN}&command=shop",
    f"command=sh&command=-c&command=mysql+-p{PLAIN}",
    f"command=sh+-c+%22mysql+-p{PLAIN}%22",
    f"c%6fmmand=mysql&c%6Fmmand=-p{PLAIN}",
    f"command=PGPASS={PLAIN}&command=psql",
    f"container=app&command=env&command=X%3D{PLAIN}&stdin=true",
    f"command=%20{PLAIN}",
]


@pytest.mark.parametrize("query", COMMANDS)
def test_no_argument_of_a_command_leaves(query):
    uri = f"/api/v1/namespaces/x/pods/db/exec?{query}"
    assert leaks(said(record("pods", "exec", "create", requestURI=uri))) == []
    through = f"/api/v1/nodes/n/proxy/run/x/db/app?{query.replace('command', 'cmd')}"
    assert leaks(said(record("nodes", "proxy", "create", requestURI=through))) == []
    message = f'dial: Get "https://10.0.0.9:10250/exec/x/db/app?{query}": EOF'
    status = {"code": 500, "message": message}
    assert leaks(said(record("pods", "exec", "create", responseStatus=status))) == []


def test_other_queries_stay():
    for uri in ("/api/v1/pods?limit=500&resourceVersion=0", "/api/v1/pods?fieldSelector=a%3Db", "/healthz"):
        assert without_arguments(uri) == uri
    assert without_arguments("/x/exec?command=ls&container=a") == "/x/exec?command=ls&container=a"


@given(st.text(max_size=80))
def test_a_query_is_masked_once_and_for_all(query):
    once = without_arguments("/exec?command=" + query)
    assert without_arguments(once) == once


JSON = st.recursive(
    st.one_of(st.just(PLAIN), st.none(), st.integers(0, 9)),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "items", "metadata", "annotations", "value", "spec", "rows", "x", "name"]
            ),
            below,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_shape_a_body_has_only_names_are_shown(body):
    found = readable(record("secrets", None, "patch", requestObject=body))["requestObject"]

    def shown(value: Any, key: str) -> bool:
        if isinstance(value, dict):
            return any(shown(item, name) for name, item in value.items())
        if isinstance(value, list):
            return any(shown(item, key) for item in value)
        return value == PLAIN and key != "name"

    assert not shown(found, "")
