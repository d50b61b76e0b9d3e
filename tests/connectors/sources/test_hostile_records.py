"""Every hostile record ends as its case says, and nothing that is made of it raises."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import Unpacked, unpack
from connectors.sources.reject import Reason

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "hostile/cases.jsonl").read_text().splitlines()
]


def value_of(case: dict[str, Any]) -> bytes | None:
    """Build the record's value as `hostile/README.md` says."""
    if "null" in case:
        return None
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "gzip" in case:
        return b"".join(gzip.compress(member.encode()) for member in case["gzip"])
    if "zeros" in case:
        return gzip.compress(bytes(case["zeros"]))
    if "wrap" in case:
        before, opening, closing, times, after = case["wrap"]
        middle = "" if not closing else "1"
        return (before + opening * times + middle + closing * times + after).encode()
    if "lines" in case:
        line, times = case["lines"]
        return "\n".join([line] * times).encode()
    return case["text"].encode()


def read_everything(found: Unpacked) -> None:
    """Ask all questions that the roles ask of an event."""
    for event in found.events:
        source = profile(event.source)
        source.entities(event)
        source.outcome(event)
        source.aliases_in(event)
        source.contacts(event)
        assert source.summary(event).isprintable()
        assert event.event_id and len(event.event_id) < 400
        orjson.dumps(source.ecs(event))


def check_laws(found: Unpacked) -> None:
    """Contracts, section 3: one ending a record; rejects are placed and named."""
    assert found.ending in {"unpacked", "rejected", "control", "empty"}
    assert found.empty == (found.ending == "empty")
    assert found.unpacked_events == (0 if found.unreadable else len(found.events) + len(found.rejects))
    if found.unreadable:
        assert len(found.rejects) == 1 and not found.events
    for reject in found.rejects:
        assert reject.reason in Reason and len(reject.detail) <= 200 and reject.locator is not None
    places = [event.locator.index for event in found.events]
    places += [r.locator.index for r in found.rejects if r.locator and r.reason is not Reason.TOO_MANY_EVENTS]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_hostile_record_ends_by_name(case):
    found = unpack(value_of(case), profile(case["source"]), "raw", 3, 41, max_bytes=1 << 20, max_events=100)
    assert found.ending == case["ending"]
    assert len(found.events) == case["events"]
    assert [reject.reason.value for reject in found.rejects] == case["rejects"]
    assert found.control == case.get("control", 0)
    check_laws(found)
    read_everything(found)


def test_the_corpus_is_large_and_its_names_differ():
    assert len({case["name"] for case in CASES}) == len(CASES) >= 30


def test_every_reason_of_reading_is_provoked():
    of_forward = {Reason.UNMAPPABLE, Reason.NOT_OURS, Reason.REFUSED_BY_TARGET}
    provoked = {reason for case in CASES for reason in case["rejects"]}
    assert provoked == {reason.value for reason in set(Reason) - of_forward}


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(KINDS))
def test_any_bytes_end(value, kind):
    found = unpack(value, profile(kind), "raw", 0, 0)
    check_laws(found)
    read_everything(found)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(json_values, st.sampled_from(KINDS))
def test_any_json_ends(value, kind):
    found = unpack(json.dumps(value).encode("utf-8", "surrogatepass"), profile(kind), "raw", 0, 0)
    check_laws(found)
    read_everything(found)


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [key for name, item in value.items() for key in (name, *_keys(item))]
    return [key for item in value for key in _keys(item)] if isinstance(value, list) else []


def _spoil(value: Any, path: list[int], new: Any) -> Any:
    """Return `value` with what lies at `path` (a choice at each level) replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _spoil(value[key], path[1:], new)
    return copy


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_any_field_may_be_anything(data):
    kind = data.draw(st.sampled_from(KINDS))
    lines = (Path(__file__).parent / f"data/{kind}.jsonl").read_text().splitlines()
    record = json.loads(data.draw(st.sampled_from(lines)))["record"]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=4))
        record = _spoil(record, path, data.draw(json_values))
    found = unpack(json.dumps(record).encode(), profile(kind), "raw", 0, 0)
    check_laws(found)
    read_everything(found)
