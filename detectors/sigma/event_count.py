"""`event_count`: so many events of a group within a time span."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.sliding import episode, least, rises, satisfying, tumbling, within
from detectors.sigma.window import Held


class EventCount:
    """The number of matches."""

    certain = True

    def __init__(self, rule: CorrelationRule) -> None:
        self._satisfies = satisfying(rule)
        self._events = 0

    def add(self, item: Held) -> None:
        """Count a match."""
        self._events += 1

    def drop(self, item: Held) -> None:
        """Count a match no longer."""
        self._events -= 1

    def holds(self) -> bool:
        """Compare the number."""
        return self._satisfies(self._events)


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    if not rises(rule):
        return tumbling(rule, held, lambda: EventCount(rule))
    return _rising(held, least(rule), rule.timespan_s)


def _rising(held: Sequence[Held], needed: int, span: float) -> Iterator[Episode]:
    """The same as `rising`, without counting: so many events lie within a span if the first does."""
    place = needed - 1
    while place < len(held):
        first = place - needed + 1
        if held[first].time + span < held[place].time:
            place += 1
            continue
        end = within(held, first, span)
        yield episode(held[first:end], held[first : place + 1], span, holds=True, certain=True)
        place = end + needed - 1


def may_hold(rule: CorrelationRule) -> Callable[[Sequence[Held]], bool]:
    """Return a test that is false only for matches of which no window satisfies bounds from below."""
    needed = least(rule)
    return lambda held: len(held) >= needed
