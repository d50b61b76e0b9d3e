"""Matches and heartbeats as detect writes them to `davylamp.matches`, and what they must come to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson
from kafka.cluster import KeyedRecord

from connectors.kafka.topics import MATCHES
from detectors.event import Entity
from detectors.sigma.match import Match

BASE: Final = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a01"
BURST: Final = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02"
START: Final = 1_780_000_000.0
TIMES: Final = (100.0, 110.0, 130.0, 155.0, 300.0, 305.0, 306.0, 420.0)
_FIRST_EPISODE: Final = TIMES[:4]
_SECOND_EPISODE: Final = TIMES[4:7]
_END_S: Final = 9000.0


def burst(user: str, partition: int) -> list[KeyedRecord]:
    """Return eight matches of one user: two bursts of three or more within 60 s, and one that is alone."""
    return [_match(user, partition, at) for at in TIMES]


def episodes(user: str) -> set[tuple[str, ...]]:
    """Return the event ids of the two finals that `burst` must give."""
    return {tuple(sorted(f"{user}-{at:.0f}" for at in times)) for times in (_FIRST_EPISODE, _SECOND_EPISODE)}


def end_of_time(partitions: int = 4) -> list[KeyedRecord]:
    """Return heartbeats that move the watermark past everything, one a partition."""
    report = {
        "kind": "kubernetes_audit",
        "through_offset": 9,
        "max_event_time": START + _END_S,
        "append_time": START + _END_S,
        "idle": False,
    }
    document = {
        "kind": "heartbeat",
        "worker": "w",
        "partition_counts": {"k8s.audit": 1},
        "partitions": {"k8s.audit/0": report},
    }
    return [(MATCHES, partition, b"", orjson.dumps(document)) for partition in range(partitions)]


def finals(findings: Iterable[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Return the event ids of each final."""
    return {tuple(sorted(f["event_ids"])) for f in findings if f["status"] == "final"}


def _match(user: str, partition: int, at: float) -> KeyedRecord:
    entity = Entity("k8s_user", user, "actor")
    match = Match(
        *(BURST, BASE, (user,), f"{user}-{at:.0f}", START + at, "kubernetes_audit", "low", (entity,)),
        f"{user} was refused",
    )
    return MATCHES, partition, match.key().encode(), orjson.dumps(match.to_json())
