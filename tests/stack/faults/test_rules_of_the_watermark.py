"""Every rule of the watermark is needed: with it finals are exact, without it some are wrong or missing.

The rules are those of the contract, section 4, Watermark and State.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from faults.match_log import LATENESS_S, MatchLog, Memory, evaluator, finals, numbered

from daemon.roles.correlate.evaluation import Evaluator, Record
from daemon.roles.correlate.heartbeat import Heartbeat, SourceReport
from daemon.roles.correlate.watermark import Watermarks
from detectors.event import Fields

LOG = MatchLog(seed=11, users=10, each=14)
BATCH = 50
SLOW, FAST = "k8s.audit/0", "k8s.audit/1"

Change = Callable[[Fields], None]


def read(records: Iterable[Record], judge: Evaluator | None = None) -> set[bytes]:
    """Return the finals of a log that is read in batches."""
    world = Memory(judge or evaluator())
    log = list(records)
    for begin in range(0, len(log), BATCH):
        world.feed(log[begin : begin + BATCH])
    return finals(world.findings)


def arrived(change: Change | None = None) -> list[Record]:
    """Return the log as it arrives; `change` edits each heartbeat's document."""
    return [_edited(record, change) for record in numbered(LOG.records(seed=2))]


def _edited(record: Record, change: Change | None) -> Record:
    if record.key or change is None:
        return record
    document = orjson.loads(record.value or b"{}")
    change(document)
    return record._replace(value=orjson.dumps(document))


def reports(beat: Fields) -> dict[str, Any]:
    """Return the source partitions of a heartbeat."""
    found: Any = beat["partitions"]
    return found


def behind(beat: Fields) -> None:
    """One source partition is read late: the other is ahead of it by more than lateness."""
    for name, report in reports(beat).items():
        if name == FAST and not report["idle"]:
            report["max_event_time"] += 4 * LATENESS_S
            report["append_time"] += 4 * LATENESS_S


def ahead(beat: Fields) -> None:
    """Events whose clock is four minutes fast: ahead of their append time, not yet from the future."""
    for report in reports(beat).values():
        if not report["idle"]:
            report["max_event_time"] += 240.0


def forged(beat: Fields) -> None:
    """Old events are read now (a backfill), and one of them claims to come from next year."""
    for report in reports(beat).values():
        if not report["idle"]:
            report["append_time"] += 86_400.0
            report["max_event_time"] += 365 * 86_400.0


def never_idle(beat: Fields) -> None:
    """Nobody says that a quiet partition was read to its end."""
    for report in reports(beat).values():
        if report["idle"]:
            report |= {"idle": False, "max_event_time": None}


def unseen(beat: Fields) -> None:
    """Say nothing of one source partition: its worker is away."""
    reports(beat).pop(SLOW)


class Greatest(Watermarks):
    """Takes the partition that is furthest instead of the one that is least far."""

    def observe(self, heartbeat: Heartbeat) -> tuple[bool, int]:
        furthest = heartbeat.reports[FAST]
        return super().observe(replace(heartbeat, reports=dict.fromkeys((SLOW, FAST), furthest)))


class Unbounded(Watermarks):
    """Believes event times: append time bounds nothing."""

    def observe(self, heartbeat: Heartbeat) -> tuple[bool, int]:
        return super().observe(_each(heartbeat, lambda r: replace(r, append_time=r.max_event_time)))


class Trusting(Watermarks):
    """Takes events from the future for events of their append time."""

    def observe(self, heartbeat: Heartbeat) -> tuple[bool, int]:
        return super().observe(_each(heartbeat, lambda r: replace(r, max_event_time=r.append_time)))


def _each(heartbeat: Heartbeat, change: Callable[[SourceReport], SourceReport]) -> Heartbeat:
    changed = {name: r if r.idle else change(r) for name, r in heartbeat.reports.items()}
    return replace(heartbeat, reports=changed)


@pytest.mark.claim("model: lateness is taken off: without it, matches that come late change finals")
def test_lateness_is_needed() -> None:
    assert read(arrived()) == LOG.finals()
    assert read(arrived(), evaluator(lateness_s=0.0)) != LOG.finals()


@pytest.mark.claim(
    "model: the least source partition, the append time's bound, the rule about the future: each is needed"
)
@pytest.mark.parametrize(
    ("scene", "broken"),
    [(behind, Greatest), (ahead, Unbounded), (forged, Trusting)],
    ids=lambda value: value.__name__,
)
def test_the_bounds_of_the_watermark_are_needed(scene: Change, broken: type[Watermarks]) -> None:
    assert read(arrived(scene)) == LOG.finals()
    assert read(arrived(scene), evaluator(book=broken)) != LOG.finals()


@pytest.mark.claim("model: idle partitions must be told: while one is silent, no final comes")
@pytest.mark.parametrize("silent", [never_idle, unseen], ids=lambda value: value.__name__)
def test_idle_partitions_must_be_told(silent: Change) -> None:
    told = read(arrived(silent))
    assert told < LOG.finals()


@pytest.mark.claim("model: heartbeats go to every partition: where none comes, no final comes")
def test_heartbeats_must_reach_every_partition() -> None:
    one_only = [record for record in arrived() if record.key or record.partition == 0]
    assert read(one_only) < LOG.finals()


@pytest.mark.claim("model: matches are walked by event time and id: by their arrival the finals differ")
def test_the_order_of_event_times_is_needed() -> None:
    def stamped(seed: int) -> list[Record]:
        """The same matches, each with the time at which it arrived."""
        changed: list[Record] = []
        for record, when in zip(numbered(LOG.records(seed)), _arrivals(seed), strict=True):
            document = orjson.loads(record.value or b"{}")
            if record.key:
                document["time"] = when
            changed.append(record._replace(value=orjson.dumps(document)))
        return changed

    assert read(stamped(2)) != read(stamped(3))
    assert read(numbered(LOG.records(2))) == read(numbered(LOG.records(3)))


def _arrivals(seed: int) -> list[float]:
    """Return when each record of the log arrives: the last heartbeat's time."""
    now, found = 0.0, list[float]()
    for record in numbered(LOG.records(seed)):
        if not record.key:
            now = orjson.loads(record.value or b"{}")["partitions"][SLOW]["max_event_time"]
        found.append(now)
    return found
