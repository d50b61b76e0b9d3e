"""`value_count`: so many different values of a field (or of several together) within a time span.

A match without the field is no value: it is held, and counts nothing. Text is compared without regard to
case, as everywhere in Sigma.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.sliding import COMPARE
from detectors.sigma.sliding import walk as sliding
from detectors.sigma.window import Held


class ValueCount:
    """The number of different values."""

    certain = True

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = COMPARE[rule.op]
        self._limit = rule.count
        self._seen: Counter[str | float] = Counter()

    def add(self, item: Held) -> None:
        """Take the value of a match in."""
        if item.value is not None:
            self._seen[item.value] += 1

    def drop(self, item: Held) -> None:
        """Let the value of a match go."""
        if item.value is not None:
            self._seen[item.value] -= 1
            if not self._seen[item.value]:
                del self._seen[item.value]

    def holds(self) -> bool:
        """Compare how many values differ."""
        return self._satisfies(len(self._seen), self._limit)


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    return sliding(rule, held, lambda: ValueCount(rule))
