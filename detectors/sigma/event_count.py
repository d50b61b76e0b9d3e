"""`event_count`: so many events of a group within a time span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.sliding import COMPARE
from detectors.sigma.sliding import walk as sliding
from detectors.sigma.window import Held


class EventCount:
    """The number of matches."""

    certain = True

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = COMPARE[rule.op]
        self._limit = rule.count
        self._events = 0

    def add(self, item: Held) -> None:
        """Count a match."""
        self._events += 1

    def drop(self, item: Held) -> None:
        """Count a match no longer."""
        self._events -= 1

    def holds(self) -> bool:
        """Compare the number."""
        return self._satisfies(self._events, self._limit)


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    return sliding(rule, held, lambda: EventCount(rule))
