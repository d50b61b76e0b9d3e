"""`value_count`: so many different values of a field (or of several together) within a time span.

A match without the field is no value: it is held, and counts nothing. Text is compared without regard to
case, as everywhere in Sigma.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.sliding import least, satisfying
from detectors.sigma.sliding import walk as sliding
from detectors.sigma.window import Held


class ValueCount:
    """The number of different values."""

    certain = True

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = satisfying(rule)
        self._seen: Counter[str | float] = Counter()

    def add(self, item: Held) -> None:
        """Take the value of a match in."""
        value = item.value
        if value is not None:
            self._seen[value] = self._seen.get(value, 0) + 1

    def drop(self, item: Held) -> None:
        """Let the value of a match go."""
        value = item.value
        if value is not None:
            left = self._seen[value] - 1
            if left:
                self._seen[value] = left
            else:
                del self._seen[value]

    def holds(self) -> bool:
        """Compare how many values differ."""
        return self._satisfies(len(self._seen))


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    return sliding(rule, held, lambda: ValueCount(rule))


def may_hold(rule: CorrelationRule) -> Callable[[Sequence[Held]], bool]:
    """Return a test that is false only for matches of which no window satisfies bounds from below."""
    needed = least(rule)
    if needed == 1:
        # A bound below 1 is satisfied by no value at all.
        return bool
    return lambda held: len(held) >= needed and len({item.value for item in held} - {None}) >= needed
