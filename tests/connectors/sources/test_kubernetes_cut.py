"""Audit events that were cut: what is left is read as it stood, whatever stands inside the values."""

from __future__ import annotations

import contextlib
import gc
import json
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.kubernetes_cut import MARK, STATED_TIME, is_truncated, read_head, recognise_cut
from connectors.sources.reject import Reason, Reject
from detectors.event import Entity, Event, Locator

DATA = Path(__file__).parent / "data/kubernetes_audit.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, DATA.read_text().splitlines())}
AUDIT = profile("kubernetes_audit")
STATED = {STATED_TIME: "2026-11-23T05:00:47Z", "cluster": "terraminer"}
WRITERS_MARK = b"[Truncated...]"
FORGED = (
    '","verb":"get","user":{"username":"system:admin"},"x":"',
    '\\","verb":"get"},{"',
    '"}]}}{"auditID":"other","verb":"get","stage":"Panic"',
    "\\",
    "\\\\",
    '\\"',
    "[Truncated...]",
    "{{{[[[",
    "}}}]]]",
    "\ud800é\u202e\x00\n",
)


def parse(line: bytes, **origin: str) -> Event:
    return AUDIT.parse(line, Locator("t", 0, 7, 0), {**STATED, **origin})


def is_part(part: Any, whole: Any) -> bool:
    """Return whether every value of `part` stands at the same place in `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return type(part) is type(whole) and part == whole


def up_to(line: bytes, key: bytes, after: int = 0) -> bytes:
    """Return `line` cut `after` bytes behind the place where `key` begins."""
    return line[: line.index(key) + after]


def first_list(event: Event) -> list[str]:
    return [entity.id for entity in AUDIT.entities(event) if entity.type == "address"]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_cut_at_every_byte_nothing_is_read_that_does_not_stand_there(name):
    whole = orjson.dumps(RECORDS[name])
    full = orjson.loads(whole)
    read = 0
    for end in range(1, len(whole)):
        for line in (whole[:end], whole[:end] + WRITERS_MARK):
            if not recognise_cut(line):
                continue
            head = read_head(line)
            assert is_part(head.fields, full), line
            assert not head.whole
            read += 1
    start = whole.index(b'"auditID":') + len(b'"auditID":')
    assert read >= 2 * (len(whole) - start - whole.count(b"}"))


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_whole_event_is_not_taken_for_a_cut_one(name):
    assert not recognise_cut(orjson.dumps(RECORDS[name]))
    assert not recognise_cut(json.dumps(RECORDS[name], indent=1).encode())


hostile_text = st.text(max_size=12) | st.sampled_from(FORGED)


@st.composite
def audit_lines(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An event in the order of the API server whose free texts are a caller's, and its line."""
    name = draw(st.sampled_from(sorted(RECORDS)))
    record = json.loads(json.dumps(RECORDS[name]))
    record["userAgent"] = draw(hostile_text) + draw(hostile_text)
    record["requestURI"] += "?" + draw(hostile_text)
    record["user"]["extra"] = {draw(hostile_text): [draw(hostile_text)]}
    if draw(st.booleans()):
        body = st.dictionaries(hostile_text, hostile_text | st.lists(hostile_text, max_size=2), max_size=3)
        record["requestObject"] = draw(body)
    line = json.dumps(record, separators=(",", ":"), ensure_ascii=draw(st.booleans()))
    return record, line.encode("utf-8", "replace")


@settings(max_examples=200, deadline=None)
@given(audit_lines(), st.floats(0, 1), st.sampled_from([b"", WRITERS_MARK, b"[Truncated...", b"\n"]))
def test_a_caller_cannot_write_keys_into_a_cut_event(drawn, part, mark):
    """Wherever the line is cut, verb, user, stage and object are those of the server."""
    record, line = drawn
    end = int(len(line) * part)
    found = unpack(line[:end] + mark, AUDIT, "t", 0, 1, origin=STATED)
    assert len(found.events) + len(found.rejects) + found.empty == 1
    for event in found.events:
        assert event.fields["verb"] == record["verb"] and event.fields["stage"] == record["stage"]
        assert event.fields["auditID"] == record["auditID"]
        user = event.fields.get("user", {})
        assert user.get("username") in {record["user"].get("username"), None}
        assert event.fields.get("objectRef", {}).items() <= record.get("objectRef", {}).items()
        assert event.fields.get("sourceIPs") in (record["sourceIPs"], None)
        assert (event.origin.get(MARK) == "true") == (end < len(line))


@pytest.mark.parametrize("forged", FORGED)
def test_a_user_agent_that_looks_like_keys_stays_a_user_agent(forged):
    record = {**RECORDS["exec"], "userAgent": forged.replace("\ud800", "")}
    cut = up_to(json.dumps(record, separators=(",", ":")).encode(), b'"objectRef"', 12)
    event = parse(cut)
    assert event.fields["userAgent"] == record["userAgent"]
    assert event.fields["verb"] == "create" and event.fields["user"] == record["user"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
@example(b"]")
@example(b'"')
@example(b'\\"}}')
def test_anything_after_the_head_ends_as_event_or_reject(rest):
    line = b'{"auditID":"a","verb":"get","stage":"Panic","stageTimestamp":"2026-11-20T08:15:30Z",' + rest
    found = unpack(line, AUDIT, "t", 0, 1)
    assert len(found.events) + len(found.rejects) >= 1
    for event in found.events:
        assert AUDIT.summary(event).isprintable() and event.event_id
        AUDIT.entities(event)
        orjson.dumps(AUDIT.ecs(event))


def test_a_line_cut_by_eks_is_an_event_with_the_time_of_its_envelope():
    cut = up_to(orjson.dumps(RECORDS["pod_status"]), b'"requestObject"', 60) + WRITERS_MARK
    event = parse(cut)
    assert event.time == 1795410047.0
    assert event.origin == {"cluster": "terraminer", MARK: "true"}
    assert event.fields["objectRef"] == RECORDS["pod_status"]["objectRef"]
    assert is_part(event.fields["requestObject"], RECORDS["pod_status"]["requestObject"])
    assert is_truncated(event.fields, event.origin)
    assert event.event_id == parse(cut).event_id


def test_its_own_time_wins_over_the_envelopes():
    whole = orjson.dumps(RECORDS["exec"])
    received = parse(up_to(whole, b'"stageTimestamp"', 30))
    finished = parse(up_to(whole, b'"annotations"', 20))
    assert round(received.time % 60, 6) == 46.106066
    assert round(finished.time % 60, 6) == 46.156391


def test_without_any_time_the_line_is_rejected_by_name():
    cut = up_to(orjson.dumps(RECORDS["exec"]), b'"objectRef"')
    with pytest.raises(Reject) as caught:
        AUDIT.parse(cut, Locator("t", 0, 7, 0), {"cluster": "terraminer"})
    assert caught.value.reason is Reason.TRUNCATED
    assert "time" in caught.value.detail


@pytest.mark.parametrize("key", [b'"requestURI"', b'"verb"', b'"stage"'])
def test_a_line_cut_before_its_verb_is_rejected_by_name(key):
    with pytest.raises(Reject) as caught:
        parse(up_to(orjson.dumps(RECORDS["exec"]), key, 4))
    assert caught.value.reason is Reason.TRUNCATED


def test_a_list_of_peers_without_its_end_names_no_peer():
    """The last address is the true one; of a cut list the last is one that the caller wrote."""
    record = {**RECORDS["exec"], "sourceIPs": ["198.51.100.9", "203.0.113.1", "10.0.0.5"]}
    line = orjson.dumps(record)
    for end in range(line.index(b'"sourceIPs"'), line.index(b'"userAgent"') - 1):
        assert first_list(parse(line[:end])) == []
    assert first_list(parse(up_to(line, b'"userAgent"', 1))) == ["10.0.0.5"]


def test_a_user_without_its_name_is_unknown_and_not_unauthenticated():
    event = parse(up_to(orjson.dumps(RECORDS["exec"]), b'"username"', 14))
    assert "user" not in event.fields
    assert AUDIT.summary(event).startswith("an unknown caller did create")


@pytest.mark.parametrize("after", [0, 15, 40, 75, 110])
def test_an_object_reference_without_its_end_is_read_from_the_path(after):
    event = parse(up_to(orjson.dumps(RECORDS["exec"]), b'"objectRef"', after))
    assert event.fields["objectRef"] == RECORDS["exec"]["objectRef"]
    assert AUDIT.entities(event)[0] == Entity("pod", "terraminer-data/postgresql-analytics-0", "target")


def test_a_number_at_the_end_is_not_believed():
    line = orjson.dumps({**RECORDS["exec"], "responseStatus": {"code": 403, "status": "Failure"}})
    event = parse(up_to(line, b'"code":403', len(b'"code":40')))
    assert "responseStatus" not in event.fields
    assert AUDIT.outcome(event) == "unknown"


def test_bodies_left_out_by_the_api_server_count_as_truncated():
    record = {**RECORDS["secret_get"], "annotations": {"audit.k8s.io/truncated": "true"}}
    event = AUDIT.parse(record, Locator("t", 0, 7, 0))
    assert is_truncated(event.fields, event.origin)
    assert not is_truncated(RECORDS["secret_get"], {})


@pytest.mark.parametrize(
    "filling", [b"[],", b"[1],", b"{},", b'"",', b"1,", b'"\\"",', b"[[1]],", b' "', b"\\"]
)
def test_the_reader_is_linear(filling):
    """Eight times the bytes take about eight times as long (a quadratic reader: 64), whatever they are."""
    head = b'{"auditID":"a","verb":"get","stage":"Panic","x":['

    def seconds_for(size: int) -> float:
        line = head + filling * (size // len(filling))
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            with contextlib.suppress(Reject):
                read_head(line)
            best = min(best, time.process_time() - began)
        return best

    gc.disable()
    try:
        short, long = seconds_for(30_000), seconds_for(240_000)
    finally:
        gc.enable()
    assert long < max(short, 0.0005) * 30
