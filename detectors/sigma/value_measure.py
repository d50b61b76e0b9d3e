"""Correlations over the numbers in a field: sum, average, percentile and median within a time span.

A match whose field holds no number counts nothing; a window without numbers satisfies nothing. Sums are
exact until they are rounded once, so that the order of arrival cannot change them and a number that leaves
takes nothing else with it. The percentile is the nearest rank: the least value that at least so many percent
do not exceed. The median of an even number of values is the mean of the two in the middle.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from detectors.sigma.episode import Episode
from detectors.sigma.match import Match
from detectors.sigma.rule import CorrelationKind, CorrelationRule
from detectors.sigma.sliding import satisfying
from detectors.sigma.sliding import walk as sliding
from detectors.sigma.window import Held

_ROUNDING: Final = 1e-9


class Total:
    """The sum of numbers that come and go, exact: a whole number of halves, quarters, eighths, .."""

    def __init__(self) -> None:
        self.count = 0
        self._negative = 0
        self._sum = 0
        self._bits = 0

    def add(self, value: float) -> None:
        """Take a number in."""
        self.count += 1
        self._negative += value < 0
        scaled = self._scaled(value)
        self._sum += scaled

    def drop(self, value: float) -> None:
        """Let a number go."""
        self.count -= 1
        self._negative -= value < 0
        scaled = self._scaled(value)
        self._sum -= scaled

    @property
    def sum(self) -> float:
        """The sum, rounded once; infinite where no float is so large."""
        try:
            return self._sum / (1 << self._bits)
        except OverflowError:
            return math.inf if self._sum > 0 else -math.inf

    @property
    def grows(self) -> bool:
        """Whether no number is negative."""
        return not self._negative

    def _scaled(self, value: float) -> int:
        """Return the number in units of the sum, which become as small as the number needs."""
        numerator, denominator = value.as_integer_ratio()
        bits = denominator.bit_length() - 1
        if bits > self._bits:
            self._sum <<= bits - self._bits
            self._bits = bits
        return numerator << (self._bits - bits)


class Summed:
    """Sum or average of the numbers of a window."""

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = satisfying(rule)
        self._average = rule.kind == "value_avg"
        self._total = Total()

    def add(self, item: Held) -> None:
        """Take the number of a match in."""
        if isinstance(item.value, float):
            self._total.add(item.value)

    def drop(self, item: Held) -> None:
        """Let the number of a match go."""
        if isinstance(item.value, float):
            self._total.drop(item.value)

    def holds(self) -> bool:
        """Compare the figure; without numbers nothing holds."""
        known = self._total
        if not known.count:
            return False
        return self._satisfies(known.sum / known.count if self._average else known.sum)

    @property
    def certain(self) -> bool:
        """A sum of what is never negative only grows; an average can turn back."""
        return not self._average and self._total.count > 0 and self._total.grows


class Ranked:
    """Median or percentile: the numbers of a window, sorted."""

    certain = False

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = satisfying(rule)
        self._percentile = rule.percentile if rule.kind == "value_percentile" else None
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
        return bool(self._values) and self._satisfies(self._figure())

    def _figure(self) -> float:
        values = self._values
        if self._percentile is None:
            middle = len(values) // 2
            if len(values) % 2:
                return values[middle]
            mean = (values[middle - 1] + values[middle]) / 2
            return mean if math.isfinite(mean) else values[middle - 1] / 2 + values[middle] / 2
        return values[max(math.ceil(self._percentile / 100 * len(values)), 1) - 1]


Figure: TypeAlias = type[Summed] | type[Ranked]
FIGURES: Final[dict[CorrelationKind, Figure]] = {
    "value_avg": Summed,
    "value_median": Ranked,
    "value_percentile": Ranked,
    "value_sum": Summed,
}


def walk(rule: CorrelationRule, held: Sequence[Held], judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping; none that ended before `judged`."""
    figure = FIGURES[rule.kind]
    return sliding(rule, held, lambda: figure(rule), judged)


class Most:
    """What the figure of no window of some matches exceeds.

    No sum exceeds that of all numbers above zero; no average, median or percentile the greatest number.
    """

    def __init__(self, rule: CorrelationRule) -> None:
        self.satisfies = satisfying(rule)
        self._summed = rule.kind == "value_sum"

    def of(self, held: Sequence[Held]) -> float:
        """Return it for all of `held`; -inf where there is no number."""
        return self.more(-math.inf, held)

    def more(self, most: float, matches: Sequence[Held | Match]) -> float:
        """Return it with more matches; rounded up, so that it never falls short."""
        numbers = [match.value for match in matches if isinstance(match.value, float)]
        if not numbers:
            return most
        above = sum(number for number in numbers if number > 0) if self._summed else 0.0
        most = max(most, 0.0) + above if above else max(most, *numbers)
        return most + abs(most) * _ROUNDING


def may_hold(rule: CorrelationRule) -> Callable[[Sequence[Held]], bool]:
    """Return a test that is false only for matches of which no window satisfies bounds from below."""
    most = Most(rule)
    return lambda held: most.satisfies(most.of(held))
