"""The typed way reads what the slow way reads, and leaves to it all that is not quite as detect writes it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from daemon.roles.correlate.error import MessageFormatError
from daemon.roles.correlate.evaluation import Record
from daemon.roles.correlate.match_record import read
from detectors.event import Entity
from detectors.sigma.match import Match

MATCH = Match(
    "c", "r", ("eve", None), "e-1", 12.5, "cloudtrail", "high",
    (Entity("k8s_user", "eve\u00e9", "actor"), Entity("address", "198.51.100.7", "source")), "s", "v",
)  # fmt: skip


def record(document: object) -> Record:
    return Record(0, 1, b"k", document if isinstance(document, bytes) else orjson.dumps(document), 0.0)


@pytest.mark.parametrize("match", [MATCH, MATCH._replace(value=3.0), MATCH._replace(value=None, entities=())])
def test_a_match_comes_back_as_it_was(match: Match) -> None:
    assert read(record(match.to_json())) == match


def test_keys_in_another_order_and_unknown_ones_are_the_same_match() -> None:
    turned = dict(reversed(MATCH.to_json().items())) | {"more": [1]}
    assert read(record(turned)) == MATCH
    assert read(record({"kind": "match", "more": [1], **MATCH.to_json()})) == MATCH


def test_a_whole_number_is_a_time_and_a_value() -> None:
    found = read(record(MATCH.to_json() | {"time": 12, "value": 3}))
    assert isinstance(found, Match)
    assert (found.time, found.value) == (12.0, 3.0)
    assert type(found.time) is type(found.value) is float


@pytest.mark.parametrize(
    "change",
    [{"level": "loud"}, {"time": None}, {"entities": [{"type": "host"}]}, {"summary": 1}, {"value": True}],
)
def test_what_is_no_match_is_refused_as_before(change: dict[str, Any]) -> None:
    with pytest.raises(MessageFormatError) as told:
        read(record(MATCH.to_json() | change))
    assert told.value.reason == "match"


@pytest.mark.parametrize("value", [b'{"kind":"match",', b'{"kind":"match","summary":"\xff"}'])
def test_broken_text_is_bad_json(value: bytes) -> None:
    with pytest.raises(MessageFormatError) as told:
        read(record(value))
    assert told.value.reason == "bad_json"


def test_other_kinds_are_returned_as_they_are() -> None:
    assert read(record({"kind": "heartbeat", "worker": "w"})) == {"kind": "heartbeat", "worker": "w"}
