"""Heartbeats from the wire: read whole or refused by name, whatever the bytes are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Record, decode
from daemon.roles.correlate.heartbeat import parse_heartbeat

GOOD: dict[str, Any] = {
    "kind": "heartbeat",
    "worker": "w",
    "partition_counts": {"k8s.audit": 4},
    "partitions": {
        "k8s.audit/0": {
            "kind": "kubernetes_audit",
            "through_offset": 12,
            "max_event_time": 5.5,
            "append_time": 6,
            "idle": False,
        }
    },
}


def test_a_heartbeat_is_read() -> None:
    beat = parse_heartbeat(GOOD, 7.0)
    report = beat.reports["k8s.audit/0"]
    assert (beat.worker, beat.at, dict(beat.counts)) == ("w", 7.0, {"k8s.audit": 4})
    assert (report.max_event_time, report.append_time, report.idle, report.through_offset) == (
        5.5,
        6.0,
        False,
        12,
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"partition_counts": None},
        {"partition_counts": {"a": "4"}},
        {"partition_counts": {"a": -1}},
        {"partition_counts": {"a": True}},
        {"partitions": []},
        {"partitions": {"a/0": None}},
        {"partitions": {"a/0": {"kind": 3}}},
        {"partitions": {"a/0": {"kind": "a", "max_event_time": "now"}}},
        {"partitions": {"a/0": {"kind": "a", "append_time": True}}},
    ],
)
def test_a_broken_heartbeat_is_refused_by_name(broken: dict[str, Any]) -> None:
    with pytest.raises(MessageFormatError, match="heartbeat"):
        parse_heartbeat(GOOD | broken, 7.0)


@given(st.none() | st.binary(max_size=200))
def test_arbitrary_bytes_are_an_object_or_a_named_refusal(value: bytes | None) -> None:
    try:
        document = decode(Record(0, 0, None, value, 0.0))
    except MessageFormatError as error:
        assert error.reason in {"empty", "bad_json", "not_an_object"}
    else:
        assert isinstance(document, dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_arbitrary_json_never_breaks_the_reader(counts: Any, partitions: Any) -> None:
    try:
        parse_heartbeat({"partition_counts": counts, "partitions": partitions}, 1.0)
    except MessageFormatError as error:
        assert error.reason == "heartbeat"
