"""What is written around one fault: records of four sources, and bursts whose finals are known beforehand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from kafka.cluster import Record
from kafka.records import CLOUDTRAIL, ISTIO, KUBERNETES, STOPPED, VAULT, cloudtrail, vault_read

from detectors.finding import rfc3339

BURST_RULE: Final = "8a0f6f3a-3d0d-4a3e-9d57-0a1b6c2e9d23"
PARTITIONS: Final = 4
_EVENTS_A_BURST: Final = 4
_SPREAD_S: Final = 2.0
_ROOM: Final = 1_000_000


class Portion:
    """The records of one fault. `index` keeps the ids of portions apart; `size` is records a half."""

    def __init__(self, index: int, size: int, users: int = 6) -> None:
        self._first = index * _ROOM
        self._index = index
        self._size = size
        self._users = users
        self._numbers = iter(range(self._first, self._first + _ROOM))
        self.finals: set[tuple[str, ...]] = set()
        """The audit ids of each final that must come: one a burst."""

    def half(self, number: int) -> list[list[Record]]:
        """Return the records of half 0 or 1 in parts: in each part one event of every burst.

        Parts are written one after another, so that no burst is judged in one batch; its events happened
        within the last two seconds.
        """
        bursts = [list(self._burst(f"p{self._index}-h{number}-u{user}")) for user in range(self._users)]
        parts = [list(events) for events in zip(*bursts, strict=True)]
        parts[0] = [*map(self._record, range(self._size)), *parts[0]]
        return parts

    def owns(self, number: int) -> bool:
        """Return whether a number in an id is of this portion."""
        return self._first <= number < self._first + _ROOM

    def _record(self, step: int) -> Record:
        number = next(self._numbers)
        place = number % PARTITIONS
        match step % 20:
            case 0:
                return CLOUDTRAIL, place, orjson.dumps(cloudtrail(number, STOPPED))
            case 1:
                return CLOUDTRAIL, place, b"\xff\xfe{ not utf-8"
            case 2:
                return ISTIO, place, b""
            case 3 | 4 | 5 | 6 | 7:
                return VAULT, place, orjson.dumps(vault_read(number, number % 5, number % 3))
            case 8:
                many = [cloudtrail(number), *(cloudtrail(next(self._numbers)) for _ in range(2))]
                return CLOUDTRAIL, place, orjson.dumps({"Records": many})
            case _:
                return CLOUDTRAIL, place, orjson.dumps(cloudtrail(number))

    def _burst(self, user: str) -> Iterator[Record]:
        began = time.time() - _SPREAD_S
        ids: list[str] = []
        for step in range(_EVENTS_A_BURST):
            number = next(self._numbers)
            event = refused(number, user, began + step * _SPREAD_S / _EVENTS_A_BURST)
            ids.append(event["auditID"])
            yield KUBERNETES, number % PARTITIONS, orjson.dumps(event)
        self.finals.add(tuple(sorted(ids)))


def refused(number: int, user: str, at: float) -> dict[str, Any]:
    """Return an audit event of a request that was refused at `at` (seconds, UTC)."""
    moment = rfc3339(at)
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-a000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/secrets",
        "verb": "list",
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.8"],
        "objectRef": {"resource": "secrets", "apiVersion": "v1"},
        "responseStatus": {"code": 403, "status": "Failure"},
        "requestReceivedTimestamp": moment,
        "stageTimestamp": moment,
    }


def number_of(identifier: str) -> int | None:
    """Return the number in an id that a portion made, None for an id of another kind."""
    tail = identifier.split("/", 1)[0].rpartition("-")[2]
    return int(tail) if len(tail) == 12 and tail.isdecimal() else None


def burst_finals(findings: Iterable[dict[str, Any]]) -> dict[tuple[str, ...], set[str]]:
    """Return audit ids of each final of a burst -> the finding ids that say it: more than one is twice."""
    found: dict[tuple[str, ...], set[str]] = {}
    for one in findings:
        if one["rule_id"] == BURST_RULE and one["status"] == "final":
            ids = tuple(sorted(event_id.split("/", 1)[0] for event_id in one["event_ids"]))
            found.setdefault(ids, set()).add(one["finding_id"])
    return found
