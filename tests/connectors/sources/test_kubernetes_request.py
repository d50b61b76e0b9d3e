"""What a path asks for, as the API server reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.kubernetes_request import requested

DATA = Path(__file__).parent / "data/kubernetes_audit.jsonl"
RECORDS = [json.loads(line)["record"] for line in DATA.read_text().splitlines()]
SHARED = ("apiGroup", "apiVersion", "namespace", "resource", "subresource")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["requestURI"][:40])
def test_the_path_of_a_real_event_gives_its_object_reference(record):
    found, said = requested(record["requestURI"]), record.get("objectRef", {})
    assert [found.get(key) for key in SHARED] == [said.get(key) for key in SHARED]
    assert found.get("name") in {said.get("name"), None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods?limit=500", {"apiVersion": "v1", "resource": "pods"}),
        (
            "/api/v1/nodes/n1/proxy/run/x",
            {"apiVersion": "v1", "resource": "nodes", "name": "n1", "subresource": "proxy"},
        ),
        (
            "/api/v1/namespaces/a",
            {"apiVersion": "v1", "namespace": "a", "resource": "namespaces", "name": "a"},
        ),
        (
            "/api/v1/namespaces/a/finalize",
            {
                "apiVersion": "v1",
                "namespace": "a",
                "resource": "namespaces",
                "name": "a",
                "subresource": "finalize",
            },
        ),
        (
            "/apis/apps/v1/watch/namespaces/a/deployments/d",
            {
                "apiGroup": "apps",
                "apiVersion": "v1",
                "namespace": "a",
                "resource": "deployments",
                "name": "d",
            },
        ),
        ("/api/v1/namespaces%2Fa/secrets", {"apiVersion": "v1", "namespace": "a", "resource": "secrets"}),
        ("/healthz", {}),
        ("/api/v1", {}),
        ("/apis/apps/v1", {}),
        ("/openapi/v3", {}),
        ("", {}),
        ("/", {}),
        ("api", {}),
    ],
)
def test_paths(path, expected):
    assert requested(path) == expected


@given(st.text())
def test_any_text_gives_texts(uri):
    assert all(isinstance(value, str) for value in requested("/api/v1/" + uri).values())
