"""Values that were made to break a reader, and one that is merely large."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Final

import orjson
from kafka.cluster import Record
from kafka.records import CLOUDTRAIL, ISTIO, KUBERNETES, VAULT, cloudtrail

_DEEP: Final = 20_000
_EVENTS: Final = 2_000
_VALUES: Final = (
    b"\x00" * 64,
    b"[" * _DEEP,
    b'{"a":' * _DEEP,
    b'{"Records":5}',
    b'{"Records":[1,null,"x",[],{}]}',
    b'{"kind":"EventList","items":[{"auditID":1,"stage":2,"verb":3}]}',
    b'{"auditID":"\\ud800","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-13-45T99:99:99Z"}',
    b'{"eventID":"x","eventTime":1e999,"eventName":[],"eventSource":{}}',
    b'{"eventVersion":"1.08","eventID":' + b"9" * 5000 + b"}",
    b'{"time":"0000-00-00T00:00:00Z","type":"response","request":null}',
    b'"' + b"A" * 300_000 + b'"',
    gzip.compress(b"\x00" * (40 * 1024 * 1024)),
    gzip.compress(b"{}")[:-6],
    "﻿{}\u2028".encode(),
    b"",
)


def poison() -> Iterator[Record]:
    """Give each value to every raw topic, all into one partition, so that they stand in one batch."""
    for topic in (CLOUDTRAIL, KUBERNETES, ISTIO, VAULT):
        for value in _VALUES:
            yield topic, 1, value


def large(size: int, first: int) -> Record:
    """Return a record of at least `size` bytes: 2,000 CloudTrail events with long parameters."""
    filler = "x" * (size // _EVENTS)
    events = [cloudtrail(first + n) | {"requestParameters": {"name": filler}} for n in range(_EVENTS)]
    return CLOUDTRAIL, 2, orjson.dumps({"Records": events})
