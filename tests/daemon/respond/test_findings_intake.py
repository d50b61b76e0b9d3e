"""Records of the findings topic: findings, or named as what they are not; never a crash."""

from __future__ import annotations

import orjson
import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from daemon.roles.respond.consuming import BadRecord, read_finding
from detectors.finding import Finding

FINDING = {
    "schema": "davylamp.finding/1",
    "finding_id": "b" * 36,
    "rule_id": "r",
    "title": "t",
    "level": "high",
    "base_level": "high",
    "status": "final",
    "source": "cloudtrail",
    "event_id": "e",
    "event_ids": ["e"],
    "event_time": "2026-11-23T06:44:33.123Z",
    "first_time": "2026-11-23T06:44:33.123Z",
    "last_time": "2026-11-23T06:44:33.123Z",
    "count": 1,
    "entities": [{"type": "pod", "id": "a/b", "role": "actor"}],
    "attack": [],
    "explain": "x",
}


def record(value: bytes | None) -> ConsumerRecord[bytes | None, bytes | None]:
    return ConsumerRecord("davylamp.findings", 1, 7, 0, 0, b"k", value, None, 0, 0, ())


def test_a_finding_is_read():
    found = read_finding(record(orjson.dumps(FINDING)))
    assert isinstance(found, Finding)
    assert found.entities[0].id == "a/b"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b'{"a":NaN}', "bad_json"),
        (b"[1]", "not_an_object"),
        (b'"x"', "not_an_object"),
        (b'{"schema":"other"}', "not_a_finding"),
        (b"x" * (4 * 1024 * 1024 + 1), "too_large"),
    ],
)
def test_what_is_none_is_named(value, reason):
    assert read_finding(record(value)) == BadRecord("davylamp.findings/1/7", reason)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(FINDING)), json_values)
def test_any_value_in_any_place_is_a_finding_or_named(key, value):
    changed = orjson.dumps({**FINDING, key: value}, option=orjson.OPT_NON_STR_KEYS)
    assert isinstance(read_finding(record(changed)), Finding | BadRecord)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_finding_or_named(value):
    assert isinstance(read_finding(record(value)), Finding | BadRecord)
