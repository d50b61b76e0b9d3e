"""Delivery into the real nodes: accepted with the shipped templates, once, refused by name."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import orjson
import pytest
from parts.watched_siem import documents, kind_of, new_namespace, stored, watched

from config.forwarding import ElasticsearchTarget, OpenSearchTarget
from connectors.ecs.audit import audit_document
from connectors.ecs.event import event_document
from connectors.ecs.finding import alert_document
from connectors.ecs.incident import incident_document
from connectors.ecs.stream import STREAMS, Document, data_stream
from connectors.siem.check import probe
from connectors.siem.target import RefusedError
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from detectors.event import Entity
from detectors.finding import Finding

EVENTS = Path(__file__).parents[1] / "connectors" / "sources" / "data"
TIME = "2026-11-01T00:00:00.000Z"
STRANGE_NAMES = {"a..b": 1, ".c": 2, "": 3, " ": 4, "d.": 5, "e.f": {"g": 6}, "e": 7}


@pytest.fixture(scope="module", params=["elasticsearch", "elasticsearch_8", "opensearch", "opensearch_2"])
def node(request):
    return request.getfixturevalue(request.param)


def event_documents(namespace):
    """The documents of the project's own sample events, of every source; each with an id of its own."""
    found = []
    for kind in KINDS:
        for path in sorted(EVENTS.glob(f"{kind}*.jsonl")):
            for number, line in enumerate(path.read_bytes().splitlines()):
                record = orjson.dumps(orjson.loads(line)["record"])
                for event in unpack(record, profile(kind), "t", 0, number).events:
                    body = event_document(event, namespace, 1_790_000_000.0).body
                    found.append(Document.of("events", f"{path.stem}-{number}", body, namespace, 0.0))
    return found


def finding(number, level="high"):
    return Finding(
        rule_id="r",
        title="Credential read by a stranger",
        level=level,
        base_level=level,
        status="final",
        source="kubernetes_audit",
        event_id=str(number),
        event_ids=(str(number),),
        event_time=1_790_000_000.0,
        first_time=1_790_000_000.0,
        last_time=1_790_000_000.0,
        count=1,
        entities=(
            Entity("pod", "payments/api-0", "target"),
            Entity("address", "198.51.100.7", "source"),
            Entity("service_account", "payments/api", "actor"),
        ),
        attack=("attack.t1552.007", "attack.credential-access"),
        explain="x",
        finding_id=f"f{number}",
    )


INCIDENT = {
    "schema": "davylamp.incident/1",
    "incident_id": "i1",
    "number": 7,
    "version": 1,
    "key": "k",
    "status": "open",
    "level": "critical",
    "title": "T",
    "playbook": {"id": "p", "version": "1"},
    "primary": {"type": "pod", "id": "payments/api-0"},
    "stale": False,
    "opened_at": TIME,
    "first_event_at": TIME,
    "last_event_at": TIME,
    "contained_at": TIME,
    "entities": [{"type": "pod", "id": "payments/api-0", "role": "target"}],
    "attack": ["attack.t1552"],
    "finding_ids": ["f1", "f2"],
    "actions": [
        {"action_id": "a", "verb": "rotate", "target": "t", "state": "done", "auto": True, "needed": 0}
    ],
}
DECISION = {
    "schema": "davylamp.audit/1",
    "id": "d1",
    "seq": 3,
    "at": TIME,
    "actor": "alice",
    "action": "approve",
    "subject": "a",
    "outcome": "allowed",
    "detail": {"note": "x" * 9000, "deep": {"a": {"b": [1, {"c": None}]}}},
    "hash": "h",
    "previous_hash": "g",
}


@pytest.mark.claim("every document of the sample events, findings, incidents and decisions is accepted")
async def test_every_document_is_accepted_with_the_shipped_templates(node):
    namespace = new_namespace()
    now = 1_790_000_000.0
    batch = [
        *event_documents(namespace),
        alert_document(finding(1), namespace, now),
        incident_document(INCIDENT, namespace, now),
        audit_document(DECISION, namespace, now),
        probe(namespace, now),
    ]
    assert len(batch) > 40
    async with watched(node, namespace) as (siem, _):
        outcomes = await siem.deliver(batch)
    assert {outcome.ending for outcome in outcomes} == {"delivered"}, [o for o in outcomes if o.reason]
    for stream in STREAMS:
        sent = {document.id: document for document in batch if document.stream == stream}
        found = {hit["_id"]: hit["_source"] for hit in stored(node, stream, namespace)}
        assert found == {ident: document.body for ident, document in sent.items()}


@pytest.mark.claim("the same batch twice, or packed with gzip, stores each document once")
async def test_the_same_batch_again_is_already_there(node):
    namespace = new_namespace()
    batch = documents(300, namespace)
    async with watched(node, namespace) as (siem, _):
        first, second = await siem.deliver(batch), await siem.deliver(batch)
    async with watched(node, namespace, compress=True) as (siem, _):
        third = await siem.deliver(batch)
    assert {o.ending for o in first} == {"delivered"}
    assert {o.ending for o in (*second, *third)} == {"already_there"}
    assert sorted(hit["_id"] for hit in stored(node, "events", namespace)) == sorted(d.id for d in batch)


@pytest.mark.claim("a document that the mapping refuses is rejected with its field; the others are delivered")
async def test_a_refused_document_is_named_and_holds_up_no_other(node):
    namespace = new_namespace()
    batch = documents(4, namespace)
    bad_ip = Document.of(
        "events", "bad-ip", {"@timestamp": TIME, "source": {"ip": "hunter2"}}, namespace, 0.0
    )
    no_time = Document.of("events", "no-time", {"message": "hunter2"}, namespace, 0.0)
    async with watched(node, namespace) as (siem, watch):
        outcomes = await siem.deliver([batch[0], bad_ip, batch[1], no_time, *batch[2:]])
    assert [o.ending for o in outcomes] == [
        "delivered", "rejected", "delivered", "rejected", "delivered", "delivered",
    ]  # fmt: skip
    assert "field source.ip is no ip" in outcomes[1].reason
    assert outcomes[3].reason.startswith("400 ")
    assert "hunter2" not in f"{outcomes}" and watch.sent["bad-ip"] == 1
    assert len(stored(node, "events", namespace)) == 4


@pytest.mark.claim("no number of field names, no depth and no length in an event keeps a document out")
async def test_a_hostile_document_adds_no_field_to_the_mapping(node):
    namespace = new_namespace()
    deep: dict[str, object] = {"v": "1"}
    for _ in range(60):
        deep = {"a": deep}
    bodies = [
        {"vendor": {f"field-{n}": n for n in range(5000)}},
        {"hashicorp_vault": {"audit": {"request": {"data": deep}}}},
        {
            "aws": {
                "cloudtrail": {"flattened": {"request_parameters": deep}, "request_parameters": "x" * 31_000}
            }
        },
        {"user": {"name": "\U0001f512" * 1024}, "message": "x" * 1_000_000},
        {"event": {"original": "x" * 200_000}},
        {"url": {"original": "\U0001f512" * 8191, "path": "/" + "\U0001f512" * 9000}},
        {"kubernetes": {"audit": {"user": {"extra": STRANGE_NAMES}, "requestObject": STRANGE_NAMES}}},
        {"aws": {"cloudtrail": {"flattened": {"request_parameters": {"a": [1, {"b": None}], "c.d": "x"}}}}},
        {"hashicorp_vault": {"audit": {"response": [1, {"a": [deep]}, "x" * 40_000]}}},
    ]
    batch = [
        Document.of("events", f"h{n}", {"@timestamp": TIME, **body}, namespace, 0.0)
        for n, body in enumerate(bodies)
    ]
    async with watched(node, namespace) as (siem, _):
        before = await siem.deliver(documents(1, namespace))
        fields = mapping(node, namespace)
        outcomes = await siem.deliver(batch)
    assert [o.ending for o in (*before, *outcomes)] == ["delivered"] * (len(bodies) + 1), outcomes
    assert mapping(node, namespace) == fields


def searched(node, namespace, query):
    """The hits over all streams of a namespace, as the rule reads them: by pattern."""
    for stream in STREAMS:
        httpx.post(f"{node.url}/{data_stream(stream, namespace)}/_refresh").raise_for_status()
    body = {"query": query, "size": 1000, "sort": ["event.severity"]}
    return httpx.post(f"{node.url}/logs-*-{namespace}/_search", json=body).json()["hits"]["hits"]


def mapping(node, namespace):
    found = httpx.get(f"{node.url}/{data_stream('events', namespace)}/_mapping").json()
    return [body["mappings"]["properties"] for body in found.values()]


@pytest.mark.claim("Elastic's External Alerts query finds exactly the alerts, with severity, risk and title")
async def test_the_external_alerts_query_finds_exactly_the_alerts(node):
    namespace = new_namespace()
    now = time.time()
    levels = ["low", "medium", "high", "critical"]
    alerts = [alert_document(finding(n, level), namespace, now) for n, level in enumerate(levels)]
    assert alert_document(finding(9, "informational"), namespace, now) is None
    others = [
        *event_documents(namespace)[:20],
        incident_document(INCIDENT, namespace, now),
        audit_document(DECISION, namespace, now),
        probe(namespace, now),
    ]
    async with watched(node, namespace) as (siem, _):
        assert {o.ending for o in await siem.deliver([*alerts, *others])} == {"delivered"}
    query = {
        "bool": {
            "filter": [
                {
                    "query_string": {
                        "query": "event.kind:alert and not event.module:(endgame or endpoint or cloud_defend)"
                        .replace(" and ", " AND ").replace("not ", "NOT ").replace(" or ", " OR ")
                    }
                },
                {"range": {"event.ingested": {"gte": "now-2m"}}},
            ]
        }
    }  # fmt: skip
    found = searched(node, namespace, query)
    assert [hit["_id"] for hit in found] == [alert.id for alert in alerts]
    assert [hit["_source"]["event"]["severity"] for hit in found] == [21, 47, 73, 99]
    assert [hit["_source"]["event"]["risk_score"] for hit in found] == [21.0, 47.0, 73.0, 99.0]
    assert {hit["_source"]["message"] for hit in found} == {"Credential read by a stranger"}


@pytest.mark.claim("a target of the wrong kind is refused by name before anything is written")
async def test_the_other_product_is_refused_by_name(node):
    namespace = new_namespace()
    other = OpenSearchTarget if kind_of(node) is ElasticsearchTarget else ElasticsearchTarget
    async with watched(node, namespace, bootstrap=False, kind=other) as (siem, watch):
        with pytest.raises(RefusedError, match="use kind"):
            await siem.deliver(documents(1, namespace))
    assert watch.sent == {}
