"""Where an event comes from is the outer envelope's word; keys of any type end by name."""

from __future__ import annotations

import base64
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.kubernetes_place import place
from connectors.sources.layer import within
from connectors.sources.reject import Reason

HERE = Path(__file__).parent
EVENT = {
    "eventName": "GetObject",
    "eventSource": "s3.amazonaws.com",
    "eventTime": "2026-11-20T08:15:30Z",
    "eventID": "e1",
}
VALUES = [
    (row["source"], json.loads(row["text"]))
    for path in sorted((HERE / "envelopes").glob("*.jsonl"))
    for row in map(json.loads, path.read_text().splitlines())
    if row.get("text", "").startswith("{") and "\n" not in row["text"]
]
ANY = [None, True, 7, -1.5, "", "x", "H4sI", "{", [], [7], {}, {"data": "?"}, [{"message": 7}], "a" * 5000]


def read(value: Any, kind: str = "cloudtrail"):
    return unpack(json.dumps(value).encode(), profile(kind), "raw", 0, 7)


def test_a_line_cannot_forge_the_place_that_the_shipper_states():
    forged = {"log": json.dumps(EVENT), "kubernetes": {"namespace_name": "kube-system", "host": "n9"}}
    shipped = {"log": json.dumps(forged), "kubernetes": {"pod_name": "web-1", "namespace_name": "shop"}}
    assert read(shipped).events[0].origin == {"pod": "web-1", "namespace": "shop"}


def test_an_inner_envelope_adds_what_the_outer_says_nothing_of():
    outer = {"account": "1", "cluster": "c"}
    assert within(outer, {"region": "r", "cluster": "x", "pod": "p"}) == {**outer, "pod": "p"}
    assert within({}, {"pod": "p"}) == {"pod": "p"}


def test_the_origin_of_one_item_does_not_stay_for_the_next():
    group = {"attributes": [{"key": "k8s.pod.name", "value": {"stringValue": "p"}}]}
    body = {"scopeLogs": [{"logRecords": [{"body": {"stringValue": json.dumps(EVENT)}}]}]}
    found = read({"resourceLogs": [{"resource": group, **body}, body]})
    assert [event.origin for event in found.events] == [{"pod": "p"}, {}]


def test_an_origin_is_printable_and_bounded():
    found = read({"log": json.dumps(EVENT), "kubernetes": {"pod_name": "a\x1b[31m" + "b" * 5000}})
    pod = found.events[0].origin["pod"]
    assert pod.isprintable() and len(pod) <= 256


@pytest.mark.parametrize(
    ("kubernetes", "workload"),
    [
        ({"pod_name": "api-6d5f-x2x4z", "labels": {"pod-template-hash": "6d5f"}}, "api"),
        ({"pod_name": "other", "labels": {"pod-template-hash": "6d5f"}}, None),
        ({"pod_name": "agent-x2x4z", "labels": {"controller-revision-hash": "a"}}, "agent"),
        (
            {
                "pod_name": "db-0",
                "labels": {"controller-revision-hash": "a", "statefulset.kubernetes.io/pod-name": "db-0"},
            },
            "db",
        ),
        ({"pod_name": "load-1-x2x4z", "labels": {"job-name": "load-1"}}, "load-1"),
        ({"pod_name": "agent-x2x4z", "pod_owner": "DaemonSet/agent"}, "agent"),
        ({"pod": {"name": "db-0"}, "statefulset": {"name": "db"}}, "db"),
        ({"pod_name": "lonely"}, None),
        (7, None),
    ],
)
def test_the_workload_of_a_pod(kubernetes, workload):
    assert place(kubernetes).get("workload") == workload


def test_bombs_in_one_record_do_not_add_up():
    bomb = base64.b64encode(gzip.compress(bytes(40_000_000))).decode()
    good = base64.b64encode(json.dumps(EVENT).encode()).decode()
    began = time.process_time()
    found = read({"records": [{"data": bomb}] * 200 + [{"data": good}]})
    assert len(found.events) == 1
    assert {r.reason for r in found.rejects} == {Reason.BOMB, Reason.TOO_MANY_REJECTS}
    assert time.process_time() - began < 5


def _spoil(value: Any, path: list[int], new: Any) -> Any:
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _spoil(value[key], path[1:], new)
    return copy


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(VALUES), st.lists(st.integers(0, 30), min_size=1, max_size=7), st.sampled_from(ANY))
def test_any_key_of_an_envelope_may_be_anything(sample, path, new):
    kind, value = sample
    found = read(_spoil(value, path, new), kind)
    assert found.ending in {"unpacked", "rejected", "control", "empty"}
    for reject in found.rejects:
        assert reject.reason in Reason and reject.locator is not None and len(reject.detail) <= 200
    for event in found.events:
        assert all(isinstance(text, str) and text for text in event.origin.values())


@pytest.mark.parametrize("new", ANY, ids=[repr(new)[:12] for new in ANY])
def test_one_bad_item_does_not_lose_the_others(new):
    good = {"message": json.dumps(EVENT)}
    found = read({"logGroup": "g", "logEvents": [good, {"message": new}, new, good]})
    assert len(found.events) == 2
    for rows in ([{"log": json.dumps(EVENT), "stream": "s"}, new, EVENT], [new, EVENT, EVENT]):
        assert len(read({"Records": rows}).events) == 2


CUT = (
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1",'
    '"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/secrets/db","verb":"get",'
    '"user":{"username":"eve"},"requestObject":{"a":"[Truncated...]'
)


@pytest.mark.parametrize(
    "value",
    [
        {
            "logGroup": "/aws/eks/prod/cluster",
            "logEvents": [{"timestamp": 1_795_414_200_123, "message": CUT}],
        },
        {"category": "kube-audit", "time": "2026-11-23T06:10:00.123Z", "properties": {"log": CUT}},
        {"log": CUT, "stream": "stdout", "time": "2026-11-23T06:10:00.123Z"},
        f"2026-11-23T06:10:00.123Z stdout F {CUT}",
    ],
    ids=["CloudWatch", "Azure", "Docker", "CRI"],
)
def test_a_line_cut_before_its_time_gets_the_time_of_its_envelope(value):
    text = value if isinstance(value, str) else json.dumps(value)
    (event,) = unpack(text.encode(), profile("kubernetes_audit"), "raw", 0, 7).events
    assert event.time == pytest.approx(1_795_414_200.123) and "time" not in event.origin
    assert event.fields["user"] == {"username": "eve"}


def test_an_outer_time_wins_and_does_not_stay_for_the_next_row():
    inner = json.dumps({"log": CUT, "stream": "stdout", "time": "2020-01-01T00:00:00Z"})
    rows = [{"timestamp": 1_795_414_200_000, "message": inner}, {"message": CUT}, {"message": inner}]
    found = read({"logGroup": "g", "logEvents": rows}, "kubernetes_audit")
    assert [event.time for event in found.events] == [1_795_414_200.0, 1_577_836_800.0]
    assert [reject.reason for reject in found.rejects] == [Reason.TRUNCATED]
