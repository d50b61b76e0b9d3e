"""Watermarks: the event time before which a source is complete (contract: finding, watermark).

Of a source partition = min(greatest event time, append time) - lateness; idle: append time - lateness.
One `Watermarks` belongs to one partition of `davylamp.matches`: a heartbeat there says that every
match up to its offsets lies before it *in that partition*, and nothing about the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from daemon.roles.correlate.heartbeat import Heartbeat, SourceReport

FUTURE_S: Final = 300.0
NEVER: Final = -math.inf
ALWAYS: Final = math.inf


class Watermarks:
    """What the heartbeats of one partition have said so far.

    `kinds` is raw topic -> source kind; `lateness` returns seconds for a kind. A partition's watermark
    never goes back: a detect worker that starts over re-sends matches that were decided already.
    """

    def __init__(self, kinds: Mapping[str, str], lateness: Callable[[str], float]) -> None:
        self._kinds = kinds
        self._lateness = lateness
        self._counts: dict[str, int] = {}
        self._reached: dict[str, float] = {}
        self._least: dict[frozenset[str], float] = {}

    def observe(self, heartbeat: Heartbeat) -> tuple[bool, int]:
        """Take a heartbeat; return whether any watermark moved, and how many reports were from the future."""
        moved, future = False, 0
        for topic, count in heartbeat.counts.items():
            if topic in self._kinds and self._counts.get(topic) != count:
                self._counts[topic] = count
                moved = True
        for name, report in heartbeat.reports.items():
            kind = self._kinds.get(name.rpartition("/")[0])
            if kind is None:
                continue
            future += is_future(report)
            reached = reach(report, heartbeat.at, self._lateness(kind))
            if reached > self._reached.get(name, NEVER):
                self._reached[name] = reached
                moved = True
        if moved:
            self._least.clear()
        return moved, future

    def of(self, kinds: Iterable[str]) -> float:
        """Return the least watermark over all partitions of all topics of `kinds` (seconds since the epoch).

        -inf until each of them has been reported; +inf when no topic of these kinds is configured.
        """
        wanted = frozenset(kinds)
        if wanted not in self._least:
            topics = [topic for topic, kind in self._kinds.items() if kind in wanted]
            self._least[wanted] = min(map(self._of_topic, topics), default=ALWAYS)
        return self._least[wanted]

    def _of_topic(self, topic: str) -> float:
        count = self._counts.get(topic)
        if count is None:
            return NEVER
        return min((self._reached.get(f"{topic}/{n}", NEVER) for n in range(count)), default=ALWAYS)


def is_future(report: SourceReport) -> bool:
    """Return whether the greatest event time is more than 5 minutes ahead of the append time."""
    if report.max_event_time is None or report.append_time is None:
        return False
    return report.max_event_time > report.append_time + FUTURE_S


def reach(report: SourceReport, at: float, lateness: float) -> float:
    """Return the watermark that a report allows; `at` is the append time of the heartbeat's record.

    An idle partition was read to its end at its append time; a report that has none counts from `at`. That
    time is by detect's clock; one that runs ahead must not close windows, so `at`, the broker's, bounds it.
    """
    if report.idle:
        return min(at, at if report.append_time is None else report.append_time) - lateness
    if report.max_event_time is None or is_future(report):
        return NEVER
    return min(report.max_event_time, at if report.append_time is None else report.append_time) - lateness
