"""What a caller writes too deep or too large does not hide the event that holds it, and can be searched."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.decoding import MAX_NESTING, decode, shallow
from connectors.sources.envelope import unpack
from connectors.sources.flattening import flattened, written
from connectors.sources.reject import Reason, Reject

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


def opened(value: Any, levels: int) -> Any:
    """Undo `flattened`: read what stands as text below the last level."""
    if levels == 0:
        return orjson.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    if isinstance(value, dict):
        return {key: opened(item, levels - 1) for key, item in value.items()}
    return [opened(item, levels - 1) for item in value] if isinstance(value, list) else value


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_written_is_the_compact_json(value: Any) -> None:
    assert written(value) == orjson.dumps(value)


@settings(max_examples=300, deadline=None)
@given(JSON, st.integers(1, 4))
def test_what_lies_too_deep_becomes_its_text_and_nothing_else_changes(value: Any, levels: int) -> None:
    before = orjson.dumps(value)
    found = flattened(orjson.loads(before), levels)
    assert depth_of(found) <= levels
    if depth_of(value) <= levels:
        assert orjson.dumps(found) == before


def test_a_deep_value_can_still_be_searched() -> None:
    deep = b"[" * 900 + b'{"command":"rm -rf"}' + b"]" * 900
    value = decode(b'{"requestParameters":' + deep + b"}")
    assert shallow(value)
    inner = value["requestParameters"]
    for _ in range(MAX_NESTING - 2):
        (inner,) = inner
    assert isinstance(inner, list) and '{"command":"rm -rf"}' in inner[0]
    assert opened(inner, 1) == orjson.loads(b"[" * 802 + b'{"command":"rm -rf"}' + b"]" * 802)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "9" * 100_000, "1" + "0" * 300 + ".5e10"])
def test_a_number_that_no_double_holds_is_its_text(number: str) -> None:
    text = f'{{"a":{number},"b":[1e5,"{number}",1.5],"c":"\\"1e999"}}'.encode()
    assert decode(text) == {"a": number, "b": [1e5, number, 1.5], "c": '"1e999'}
    padded = text[:-1] + b',"d":"\\ud800' + b" " * 40 + b'"}'
    assert decode(padded)["a"] == number


@pytest.mark.parametrize(
    "text", [b'{"a":1e999', b'{"a":1e999}}', b'{"a":1e999,"b":NaN,"c":"' + b"c" * 40 + b'"}']
)
def test_what_is_no_json_stays_none(text: bytes) -> None:
    with pytest.raises(Reject):
        decode(text)


def test_the_event_around_is_read() -> None:
    line = (
        b'{"eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com",'
        b'"eventTime":"2026-11-20T08:15:30Z","requestParameters":{"x":%b}}'
    )
    for hiding in (b"1e999", b"9" * 400, b"[" * 500 + b"]" * 500, b'{"a":' * 300 + b"1" + b"}" * 300):
        found = unpack(line % hiding, profile("cloudtrail"), "raw", 0, 1)
        assert [event.fields["eventName"] for event in found.events] == ["StopLogging"]
    deeper = unpack(line % (b"[" * 2000 + b"]" * 2000), profile("cloudtrail"), "raw", 0, 1)
    assert [reject.reason for reject in deeper.rejects] == [Reason.TOO_DEEP]
