"""How far each source topic is told by append time: what closes the hours of the watch over sources.

Unlike the watermark of ``watermark.py`` no event time counts here: an hour of arrivals is whole as soon as
every partition has been read, and told, beyond its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from daemon.roles.correlate.heartbeat import Heartbeat, SourceReport
from daemon.roles.correlate.watermark import NEVER

GRACE_S: Final = 120.0
"""Clocks of detect and brokers may differ; append times step back a little when a leader changes."""


class Arrivals:
    """What the heartbeats of one partition of `davylamp.flows` have said. It never goes back."""

    def __init__(self, topics: Mapping[str, str]) -> None:
        self._topics = topics
        self._counts: dict[str, int] = {}
        self._reached: dict[str, dict[int, float]] = {}

    def observe(self, heartbeat: Heartbeat) -> None:
        """Take in a heartbeat; topics that are not configured are left alone."""
        for topic, count in heartbeat.counts.items():
            if topic in self._topics:
                self._counts[topic] = count
        for name, report in heartbeat.reports.items():
            topic, _, number = name.rpartition("/")
            if topic not in self._topics or not number.isdecimal():
                continue
            partitions = self._reached.setdefault(topic, {})
            at = _reach(report, heartbeat.at)
            partitions[int(number)] = max(at, partitions.get(int(number), NEVER))

    def of(self, topic: str) -> float:
        """Return the append time (seconds, UTC) up to which a topic is told; -inf before that is known."""
        count = self._counts.get(topic, 0)
        reached = self._reached.get(topic, {})
        return min((reached.get(n, NEVER) for n in range(count)), default=NEVER) - GRACE_S


def _reach(report: SourceReport, at: float) -> float:
    if report.append_time is None:
        return at if report.idle else NEVER
    return min(at, report.append_time)
