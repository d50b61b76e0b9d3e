"""The walks over a group's matches that every unordered correlation shares.

For gt and gte an episode begins with the earliest events that together satisfy the condition within the
span, and takes in everything up to one span after its first event: one burst is one finding. A window is
looked at whenever an event comes in, and reaches back one span from it. For lt, lte, eq and neq (undone by
more events) windows of one span follow each other, each from the first event not yet used.

A figure that can rise when old events leave a window (an average) must not be looked at again once those
are forgotten: windows that end before `judged` were judged on all their events and are passed over.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule, Operator
from detectors.sigma.window import AFTER_ALL, Held

COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Measure(Protocol):
    """What a correlation measures of the matches inside a window."""

    def add(self, item: Held) -> None:
        """Take a match in."""
        ...

    def drop(self, item: Held) -> None:
        """Let a match go that was taken in before."""
        ...

    def holds(self) -> bool:
        """Return whether the condition is satisfied now."""
        ...

    @property
    def certain(self) -> bool:
        """Whether more matches cannot undo that it holds."""
        ...


def walk(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure], judged: float = -math.inf
) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping; `measure` makes an empty measure.

    `judged` is an event time in seconds.
    """
    if rule.op in ("gt", "gte"):
        yield from rising(rule, held, measure, judged)
    else:
        yield from tumbling(rule, held, measure)


def rising(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure], judged: float = -math.inf
) -> Iterator[Episode]:
    """Yield an episode as soon as the window that ends with an event satisfies the condition."""
    now = measure()
    first = place = 0
    while place < len(held):
        now.add(held[place])
        while held[place].time - held[first].time > rule.timespan_s:
            now.drop(held[first])
            first += 1
        if held[place].time < judged or not now.holds():
            place += 1
            continue
        end = _within(held, first, rule.timespan_s)
        core = held[first : place + 1]
        yield _episode(held[first:end], core, rule.timespan_s, holds=True, certain=now.certain)
        first = place = end
        now = measure()


def tumbling(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure]
) -> Iterator[Episode]:
    """Yield one window after the other, whether it satisfies the condition or not."""
    first = 0
    while first < len(held):
        end = _within(held, first, rule.timespan_s)
        now = measure()
        for item in held[first:end]:
            now.add(item)
        events = held[first:end]
        yield _episode(events, events, rule.timespan_s, holds=now.holds(), certain=False)
        first = end


def _within(held: Sequence[Held], first: int, span: float) -> int:
    end = first
    while end < len(held) and held[end].time - held[first].time <= span:
        end += 1
    return end


def _episode(
    events: Sequence[Held], core: Sequence[Held], span: float, *, holds: bool, certain: bool
) -> Episode:
    closes_at = events[0].time + span
    last = max(closes_at, events[-1].time)
    return Episode(tuple(events), tuple(core), last, (last, AFTER_ALL, ""), holds, certain)
