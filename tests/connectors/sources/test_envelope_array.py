"""A large array is read piece by piece as it would be read at once, and never lies in memory as a whole."""

from __future__ import annotations

import json
import tracemalloc

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.decoding import shallow
from connectors.sources.envelope import unpack
from connectors.sources.envelope_array import WHOLE, array_chunks
from connectors.sources.reject import Reason

RECORD = {
    "eventVersion": "1.11",
    "eventName": "GetObject",
    "eventSource": "s3.amazonaws.com",
    "eventTime": "2026-11-20T08:15:30Z",
    "requestParameters": {
        "key": 'a"},{"eventVersion":"1.11"},{',
        "list": [{"eventVersion": "1"}, {"eventVersion": "2"}],
    },
}
anything = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(alphabet='a,{}[]"\\:', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab,{"), inner, max_size=3),
    max_leaves=8,
)


def file_of(count: int) -> bytes:
    records = [{**RECORD, "eventID": f"00000000-0000-4000-8000-{number:012d}"} for number in range(count)]
    return json.dumps({"Records": records}).encode()


@settings(max_examples=400, deadline=None)
@given(
    st.lists(anything, max_size=12),
    st.sampled_from(["list", "Records", "items"]),
    st.integers(1, 60),
    st.sampled_from([None, "x", "]}", {"a": 1}, [1]]),
)
def test_pieces_are_the_items(items, shape, chunk, more):
    whole = items if shape == "list" else {"kind": "EventList", shape: items, "more": more}
    for indent in (None, 1):
        chunks = array_chunks(json.dumps(whole, indent=indent).encode(), chunk)
        if chunks is not None:
            assert [item for some in chunks for item in some] == items
        else:
            assert shape != "list" and more in ("]}", [1])


@pytest.mark.parametrize(
    "text",
    [
        b'{"x":{"items":[1]},"items":[]}',
        b'{"Records":[1,2',
        b'{"a":1}',
        b"",
    ],
)
def test_what_only_looks_like_an_array_is_left_alone(text):
    assert array_chunks(text) is None


def test_a_large_file_gives_its_first_10_000_events_and_says_how_many_more():
    text = file_of(12_000)
    assert len(text) > WHOLE
    found = unpack(text, profile("cloudtrail"), "raw", 0, 7)
    assert [event.event_id for event in found.events[:2]] == [
        "00000000-0000-4000-8000-000000000000",
        "00000000-0000-4000-8000-000000000001",
    ]
    assert len(found.events) == 10_000 and [event.locator.index for event in found.events] == list(
        range(10_000)
    )
    assert [(r.reason, r.detail) for r in found.rejects] == [
        (Reason.TOO_MANY_EVENTS, "at least 2000 events over the limit of 10000")
    ]


def test_a_break_in_the_middle_keeps_what_stood_before():
    text = file_of(8_000)
    at = text.index(b"00000000-0000-4000-8000-000000007000")
    found = unpack(text[:at] + b'"' + text[at:], profile("cloudtrail"), "raw", 0, 7)
    assert 3_000 < len(found.events) <= 7_000
    assert [reject.reason for reject in found.rejects] == [Reason.BAD_JSON]


def test_what_lies_too_deep_in_an_item_becomes_its_text():
    deep = b"[" * 200 + b"]" * 200
    ((item,),) = array_chunks(b'{"Records":[' + deep + b"]}") or ()
    assert shallow((item,)) and shallow(json.loads(b"[" + orjson.dumps(item) + b"]"))
    while not isinstance(item[0], str):
        item = item[0]
    assert set(item[0]) == {"[", "]"}


def test_memory_is_bounded_by_a_piece():
    text = file_of(20_000)
    peaks = []
    for read in (lambda: sum(len(items) for items in array_chunks(text) or ()), lambda: orjson.loads(text)):
        tracemalloc.start()
        assert read()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < peaks[1] / 4
