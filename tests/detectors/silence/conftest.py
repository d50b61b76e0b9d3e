"""A source that is watched: weeks of steady traffic, then whatever the test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from detectors.finding import Finding
from detectors.silence.clock import DAY, SLOTS, WEEK
from detectors.silence.tally import Tally
from detectors.silence.watch import Watch

FIRST = 2500 * WEEK
LEARNING = 7 * DAY
FIELDS = {"user": 1.0, "verb": 1.0, "object.name": 0.6, "error": 0.05}


class Watched:
    """Feeds a watch hour by hour, now and then through its JSON as correlate does."""

    def __init__(self, source: str = "kubernetes_audit") -> None:
        self.watch = Watch.begin("k8s.audit", source, FIRST)
        self.findings: list[Finding] = []
        self.hour = FIRST

    def feed(
        self,
        hours: int,
        events: Callable[[int], int] = lambda _hour: 6000,
        shares: Mapping[str, float] = FIELDS,
        delay_s: float = 2.0,
    ) -> list[Finding]:
        """Feed so many hours; return what was found in them."""
        before = len(self.findings)
        for _ in range(hours):
            number = events(self.hour)
            sampled = min(number, 100)
            slots = [number // SLOTS + (place < number % SLOTS) for place in range(SLOTS)]
            fields = {name: round(sampled * share) for name, share in shares.items() if share}
            delays = {round(delay_s / 60): sampled} if sampled else {}
            self.feed_hour(Tally(slots, sampled, fields, delays))
        return self.findings[before:]

    def feed_hour(self, tally: Tally) -> None:
        if self.hour % 13 == 0:
            self.watch = Watch.from_json(self.watch.to_json())
        until = self.hour * SLOTS + SLOTS - 1
        self.findings += self.watch.advance(until, {self.hour: tally}, LEARNING)
        self.hour += 1


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def new_watched() -> Callable[[str], Watched]:
    return Watched
