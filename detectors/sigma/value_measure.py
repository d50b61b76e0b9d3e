"""Correlations over the numbers in a field: sum, average, percentile and median within a time span.

A match whose field holds no number counts nothing; a window without numbers satisfies nothing. Sums are
exact (`math.fsum`), so that the order of arrival cannot change them. The percentile is the nearest rank:
the least value that at least so many percent do not exceed. The median of an even number of values is the
mean of the two in the middle.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final, TypeAlias

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationKind, CorrelationRule
from detectors.sigma.sliding import COMPARE
from detectors.sigma.sliding import walk as sliding
from detectors.sigma.window import Held

Figure: TypeAlias = Callable[[Sequence[float], CorrelationRule], float]


def _sum(values: Sequence[float], rule: CorrelationRule) -> float:
    return math.fsum(values)


def _average(values: Sequence[float], rule: CorrelationRule) -> float:
    return math.fsum(values) / len(values)


def _percentile(values: Sequence[float], rule: CorrelationRule) -> float:
    rank = math.ceil((rule.percentile or 0) / 100 * len(values))
    return values[max(rank, 1) - 1]


def _median(values: Sequence[float], rule: CorrelationRule) -> float:
    return median(values)


FIGURES: Final[dict[CorrelationKind, Figure]] = {
    "value_avg": _average,
    "value_median": _median,
    "value_percentile": _percentile,
    "value_sum": _sum,
}


class ValueMeasure:
    """The numbers of a window, sorted."""

    def __init__(self, rule: CorrelationRule) -> None:
        self._rule = rule
        self._figure = FIGURES[rule.kind]
        self._satisfies = COMPARE[rule.op]
        self._values: list[float] = []

    def add(self, item: Held) -> None:
        """Take the number of a match in."""
        if isinstance(item.value, float):
            insort(self._values, item.value)

    def drop(self, item: Held) -> None:
        """Let the number of a match go."""
        if isinstance(item.value, float):
            del self._values[bisect_left(self._values, item.value)]

    def holds(self) -> bool:
        """Compare the figure; without numbers nothing holds."""
        return bool(self._values) and self._satisfies(
            self._figure(self._values, self._rule), self._rule.count
        )

    @property
    def certain(self) -> bool:
        """A sum of what is never negative only grows; the other figures can turn back."""
        return self._rule.kind == "value_sum" and bool(self._values) and self._values[0] >= 0


def walk(rule: CorrelationRule, held: Sequence[Held], judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping; none that ended before `judged`."""
    return sliding(rule, held, lambda: ValueMeasure(rule), judged)
