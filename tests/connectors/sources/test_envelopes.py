"""An event is the same event in any wrapping, and any chain of envelopes ends by name."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from connectors.sources.files import read_events
from connectors.sources.reject import Reason
from detectors.event import Event

HERE = Path(__file__).parent
SAMPLES = [
    (path.stem, json.loads(line))
    for path in sorted((HERE / "envelopes").glob("*.jsonl"))
    for line in path.read_text().splitlines()
]
RECORDS = {
    (kind, case["case"]): case["record"]
    for kind in KINDS
    for case in map(json.loads, (HERE / f"data/{kind}.jsonl").read_text().splitlines())
}
POD = {
    "pod_name": "api-6d5f7c9b8-x2x4z",
    "namespace_name": "shop",
    "host": "node-1",
    "labels": {"app": "api"},
}


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def packed(value: bytes) -> str:
    return base64.b64encode(gzip.compress(value, mtime=0)).decode()


def any_value(value: Any) -> dict[str, Any]:
    """Return the OTLP AnyValue of a JSON value, as the Collector writes it."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    pairs = [{"key": key, "value": any_value(item)} for key, item in value.items()]
    return {"kvlistValue": {"values": pairs}}


def otlp(body: dict[str, Any]) -> bytes:
    record = {"body": body, "attributes": [{"key": "log.file.path", "value": {"stringValue": "/var/log/a"}}]}
    return dumps({"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [record]}]}]})


def cloudwatch(text: str) -> bytes:
    rows = [{"id": "0" * 56, "timestamp": 1_763_626_530_000, "message": text}]
    place = {
        "logGroup": "/aws/eks/prod/cluster",
        "logStream": "kube-apiserver-audit-0",
        "subscriptionFilters": [],
    }
    return dumps({"messageType": "DATA_MESSAGE", "owner": "111122223333", **place, "logEvents": rows})


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "base64_gzip": lambda value: packed(value).encode(),
    "awslogs": lambda value: dumps({"awslogs": {"data": packed(value)}}),
    "firehose": lambda value: dumps({"records": [{"recordId": "1", "data": packed(value)}]}),
    "otlp_bytes": lambda value: otlp({"bytesValue": packed(value)}),
}
TEXT: dict[str, Callable[[str], bytes]] = {
    "cloudwatch": cloudwatch,
    "sns": lambda text: dumps({"Type": "Notification", "MessageId": "m", "Message": text}),
    "lookup_events": lambda text: dumps({"EventId": "e", "EventName": "n", "CloudTrailEvent": text}),
    "azure": lambda text: dumps({"records": [{"category": "kube-audit", "properties": {"log": text}}]}),
    "fluent_bit": lambda text: dumps({"@timestamp": 1.5, "log": text, "kubernetes": POD}),
    "vector": lambda text: dumps({"message": text, "source_type": "kubernetes_logs", "kubernetes": {}}),
    "filebeat": lambda text: dumps(
        {"@timestamp": "t", "@metadata": {}, "message": text, "log": {"offset": 1}}
    ),
    "otlp": lambda text: otlp({"stringValue": text}),
    "docker": lambda text: dumps({"log": text + "\n", "stream": "stdout", "time": "t"}),
}
LINE: dict[str, Callable[[str], bytes]] = {
    "cri": lambda text: f"2026-11-20T08:15:30.000000001Z stdout F {text}".encode(),
    "cri_partial": lambda text: "\n".join(
        f"2026-11-20T08:15:30Z stdout {tag} {part}" for tag, part in (("P", text[:9]), ("F", text[9:]))
    ).encode(),
}
OBJECT: dict[str, Callable[[Any], bytes]] = {
    "event_bridge": lambda value: dumps({"version": "0", "detail-type": "d", "source": "s", "detail": value}),
    "cloudtrail_file": lambda value: dumps({"Records": [value]}),
    "event_list": lambda value: dumps(
        {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [value]}
    ),
    "array": lambda value: dumps([value]),
    "json_lines": lambda value: dumps(value) + b"\n" + dumps(value),
}
DIRECT: dict[str, Callable[[Any], bytes]] = {
    "merge_log": lambda value: dumps({**value, "stream": "stdout", "logtag": "F", "kubernetes": POD}),
    "merge_log_kept": lambda value: dumps({**value, "log": json.dumps(value), "kubernetes": POD}),
    "otlp_kvlist": lambda value: otlp(any_value(value)),
}
NAMES = sorted([*BYTES, *TEXT, *LINE, *OBJECT])


def wrap(name: str, inner: bytes) -> bytes | None:
    """Return `inner` in one envelope, or None where that envelope cannot hold it."""
    if name in BYTES:
        return BYTES[name](inner)
    if inner[:2] == b"\x1f\x8b":
        return None
    if name in TEXT:
        return TEXT[name](inner.decode())
    if name in LINE:
        return None if b"\n" in inner else LINE[name](inner.decode())
    holds = inner[:1] == b"{" and b"\n" not in inner
    return (OBJECT | DIRECT)[name](json.loads(inner)) if holds else None


def read(value: bytes, kind: str):
    return unpack(value, profile(kind), "raw", 0, 7)


extra = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@st.composite
def chains(draw: st.DrawFn, depth: int) -> tuple[str, dict[str, Any], bytes]:
    """Return source, record and the record inside exactly `depth` envelopes."""
    kind, case = draw(st.sampled_from(sorted(RECORDS)))
    record = {**RECORDS[kind, case], "x_more": draw(extra)}
    value = dumps(record)
    for level in range(depth):
        names = [*NAMES, *DIRECT] if level == 0 else NAMES
        wrapped = [
            made for name in draw(st.permutations(names))[:8] if (made := wrap(name, value)) is not None
        ]
        value = wrapped[0] if wrapped else BYTES["firehose"](value)
    return kind, record, value


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4).flatmap(chains))
def test_any_chain_up_to_four_gives_the_same_event(chain):
    kind, record, value = chain
    plain, found = read(dumps(record), kind), read(value, kind)
    assert not found.rejects and found.events
    for event in found.events:
        assert event.fields == plain.events[0].fields
        assert event.time == plain.events[0].time
    assert found.events[0].event_id == plain.events[0].event_id


@settings(max_examples=150, deadline=None)
@given(chains(5))
def test_five_envelopes_are_too_deep_by_name(chain):
    kind, _, value = chain
    found = read(value, kind)
    assert not found.events
    assert {reject.reason for reject in found.rejects} == {Reason.TOO_DEEP}


@pytest.mark.parametrize("name", [*NAMES, *DIRECT])
@pytest.mark.parametrize("kind", KINDS)
def test_each_envelope_holds_each_source(name, kind):
    for (source, _), record in RECORDS.items():
        if source == kind:
            value = wrap(name, dumps(record))
            assert value is not None
            found = read(value, kind)
            plain = read(dumps(record), kind)
            assert not found.rejects and found.events[0].fields == plain.events[0].fields


@pytest.mark.parametrize(
    ("name", "sample"), SAMPLES, ids=[f"{name}-{row['source']}" for name, row in SAMPLES]
)
def test_sample_gives_the_event_and_its_origin(name, sample):
    kind = sample["source"]
    value = base64.b64decode(sample["base64"]) if "base64" in sample else sample["text"].encode()
    found = read(value, kind)
    assert [reject.reason.value for reject in found.rejects] == sample.get("rejects", [])
    assert found.control == sample.get("control", 0)
    assert len(found.events) == sample.get("events", 1)
    bare = sample["line"].encode() if "line" in sample else dumps(RECORDS[kind, sample["case"]])
    for event in found.events:
        assert event.fields == {**read(bare, kind).events[0].fields, **sample.get("added", {})}
        assert dict(event.origin) == sample["origin"]


def test_all_eighteen_envelopes_have_a_sample():
    assert {int(name[:2]) for name, _ in SAMPLES} >= set(range(1, 19))


def test_a_file_of_lifted_events_gives_them_with_their_origin(tmp_path):
    path = tmp_path / "lifted.jsonl"
    rows = [row for name, row in SAMPLES if name == "12_fluent_bit_merge_log"]
    for row in rows:
        path.write_text(row["text"] + "\n" + row["text"])
        found = list(read_events(path, profile(row["source"])))
        assert len(found) == 2
        for event in found:
            assert isinstance(event, Event) and dict(event.origin) == row["origin"]
            assert "kubernetes" not in event.fields
