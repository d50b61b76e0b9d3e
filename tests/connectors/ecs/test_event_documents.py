"""Events of all four sources become ECS documents, and no secret goes along."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.ecs.normalise import documents
from connectors.sources.catalogue import KINDS, profile
from detectors.event import Locator

HERE = Path(__file__).parent
SOURCES = HERE.parent / "sources/data"

CASES = [
    (kind, case["case"], case["record"])
    for kind in KINDS
    for case in map(json.loads, (SOURCES / f"{kind}.jsonl").read_text().splitlines())
]


def document(kind, record):
    return event_document(profile(kind).parse(record, Locator("t", 0, 1, 0)), "default", 1_800_000_000.0)


def body(kind, name):
    return document(kind, next(record for k, n, record in CASES if (k, n) == (kind, name))).body


@pytest.mark.parametrize(("kind", "name", "record"), CASES, ids=[f"{k}-{n}" for k, n, _ in CASES])
def test_documents_conform(problems, kind, name, record):
    found = document(kind, record)
    assert problems(found.body) == []
    assert found.body["data_stream"] == {"type": "logs", "dataset": "davylamp.events", "namespace": "default"}
    assert found.body["event"]["id"] == found.id
    assert found.body["event"]["ingested"] == "2027-01-15T08:00:00.000Z"
    assert found.body["ecs"]["version"].startswith("9.")
    assert orjson.loads(found.payload) == found.body and found.size == len(found.payload)


def test_conformance_can_fail(problems):
    assert problems({"event": {"kind": "nonsense"}}) and problems({"nobody": 1})
    assert problems({"source": {"ip": "AWS Internal"}})


def test_only_the_true_peer_is_the_source_but_all_are_related():
    record = next(r for k, n, r in CASES if (k, n) == ("kubernetes_audit", "exec"))
    found = document("kubernetes_audit", {**record, "sourceIPs": ["198.51.100.9", "10.0.0.5"]}).body
    assert found["source"]["ip"] == "10.0.0.5"
    assert found["related"]["ip"] == ["10.0.0.5", "198.51.100.9"]


def test_received_is_the_request_and_sent_the_response():
    record = next(r for k, n, r in CASES if (k, n) == ("istio_access", "outbound"))
    found = document("istio_access", {**record, "bytes_received": 11, "bytes_sent": 22}).body
    assert found["http"]["request"]["body"]["bytes"] == 11
    assert found["http"]["response"]["body"]["bytes"] == 22


def test_a_name_is_an_address_but_no_ip():
    found = body("cloudtrail", "service_call")
    assert found["source"] == {"address": "ec2.amazonaws.com"}


def test_an_unhashed_password_does_not_leave():
    found = document("vault_audit", next(r for k, n, r in CASES if n == "unhashed"))
    assert b"correct-horse-battery" not in found.payload
    assert b"last_vault_rotation" in found.payload


def test_a_session_token_does_not_leave():
    found = document("cloudtrail", next(r for k, n, r in CASES if n == "service_call"))
    assert b"not-a-real-session-token" not in found.payload
    assert b"ASIAEXAMPLEEXAMPLE03" in found.payload


def test_the_contents_of_a_kubernetes_secret_do_not_leave():
    record = next(r for k, n, r in CASES if (k, n) == ("kubernetes_audit", "secret_get"))
    secret = {
        "kind": "Secret",
        "metadata": {
            "name": "db",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"dsn":"Y2FuYXJ5"}}'
            },
        },
        "data": {"dsn": "Y2FuYXJ5"},
    }
    for sent in (secret, {"kind": "SecretList", "items": [secret]}):
        found = document("kubernetes_audit", {**record, "responseObject": sent})
        assert b"Y2FuYXJ5" not in found.payload


def test_a_huge_record_is_cut_and_says_so():
    record = next(r for k, n, r in CASES if (k, n) == ("cloudtrail", "get_secret"))
    found = document("cloudtrail", {**record, "requestParameters": {"a": ["b" * 500] * 2000}})
    assert found.size < 600_000 and "original" not in found.body["event"]
    assert found.body["labels"]["original"] == "left out, over 32 KiB"


def test_normalise_reads_a_file(problems, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for k, _, r in CASES if k == "vault_audit") + "nonsense\n")
    rejects = []
    found = list(documents(path, "vault_audit", rejects))
    assert len(found) == 10 and [reject.reason.value for reject in rejects] == ["bad_json"]
    assert all(problems(one) == [] for one in found)
