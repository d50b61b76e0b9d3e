"""Heartbeats of detect: how far each source partition was read (`docs/architecture.md`, messages)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from daemon.roles.correlate.error import MessageFormatError
from detectors.event import Json

_MAX_PARTITIONS: Final = 100_000


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How far one source partition was read. Times: seconds since the epoch (UTC); None: nothing read yet."""

    kind: str
    through_offset: int
    max_event_time: float | None
    append_time: float | None
    idle: bool


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One worker's word about its partitions, keyed ``topic/partition``; `counts` is topic -> partitions.

    `at` is the append time of the heartbeat's own record (seconds, UTC).
    """

    worker: str
    counts: Mapping[str, int]
    reports: Mapping[str, SourceReport]
    at: float


def parse_heartbeat(document: Mapping[str, Json], at: float) -> Heartbeat:
    """Read a heartbeat. Raises MessageFormatError("heartbeat") when a key is missing or of another type."""
    counts, partitions = document.get("partition_counts"), document.get("partitions")
    if not isinstance(counts, dict) or not isinstance(partitions, dict) or len(partitions) > _MAX_PARTITIONS:
        raise MessageFormatError("heartbeat")
    return Heartbeat(
        worker=str(document.get("worker", "")),
        counts={topic: _count(n) for topic, n in counts.items()},
        reports={name: _report(value) for name, value in partitions.items()},
        at=at,
    )


def _count(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value > _MAX_PARTITIONS:
        raise MessageFormatError("heartbeat")
    return value


def _report(value: Json) -> SourceReport:
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise MessageFormatError("heartbeat")
    offset = value.get("through_offset")
    return SourceReport(
        kind=str(value["kind"]),
        through_offset=offset if isinstance(offset, int) else -1,
        max_event_time=_time(value.get("max_event_time")),
        append_time=_time(value.get("append_time")),
        idle=value.get("idle") is True,
    )


def _time(value: Json) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MessageFormatError("heartbeat")
    return float(value)
