"""The walks over a group's matches that every unordered correlation shares.

For gt and gte an episode begins with the earliest events that together satisfy the condition within the
span, and takes in everything up to one span after its first event: one burst is one finding. A window is
looked at whenever an event comes in, and reaches back one span from it. For conditions that more events undo
(lt, lte, eq, neq, a range with an upper end) windows of one span follow each other, each from the first event
not yet used.

A figure that can rise when old events leave a window (an average) must not be looked at again once those
are forgotten: windows that end before `judged` were judged on all their events and are passed over.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Final, Protocol, TypeAlias

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
Bounds: TypeAlias = tuple[tuple[Operator, float], ...]
_TIME: Final = attrgetter("time")


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


def rises(rule: CorrelationRule) -> bool:
    """Return whether all bounds are from below."""
    return all(op in ("gt", "gte") for op, _ in rule.bounds)


def satisfying(rule: CorrelationRule) -> Callable[[float], bool]:
    """Return a test of a figure against all bounds."""
    if not rule.more:
        compare, count = COMPARE[rule.op], rule.count
        return lambda figure: compare(figure, count)
    tests = [(COMPARE[op], count) for op, count in rule.bounds]
    return lambda figure: all(compare(figure, count) for compare, count in tests)


def least(rule: CorrelationRule) -> int:
    """Return the least whole number that satisfies bounds from below; at least 1."""
    return max(1, *(math.floor(count) + 1 if op == "gt" else math.ceil(count) for op, count in rule.bounds))


def walk(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure], judged: float = -math.inf
) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping; `measure` makes an empty measure.

    `judged` is an event time in seconds.
    """
    if rises(rule):
        yield from rising(rule, held, measure, judged)
    else:
        yield from tumbling(rule, held, measure)


def rising(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure], judged: float = -math.inf
) -> Iterator[Episode]:
    """Yield an episode as soon as the window that ends with an event satisfies the condition."""
    now = measure()
    span = rule.timespan_s
    first = place = 0
    while place < len(held):
        item = held[place]
        now.add(item)
        while held[first].time + span < item.time:
            now.drop(held[first])
            first += 1
        if item.time < judged or not now.holds():
            place += 1
            continue
        end = within(held, first, span)
        yield episode(held[first:end], held[first : place + 1], span, holds=True, certain=now.certain)
        first = place = end
        now = measure()


def tumbling(
    rule: CorrelationRule, held: Sequence[Held], measure: Callable[[], Measure]
) -> Iterator[Episode]:
    """Yield one window after the other, whether it satisfies the condition or not."""
    first = 0
    while first < len(held):
        end = within(held, first, rule.timespan_s)
        now = measure()
        events = held[first:end]
        for item in events:
            now.add(item)
        yield episode(events, events, rule.timespan_s, holds=now.holds(), certain=False)
        first = end


def within(held: Sequence[Held], first: int, span: float) -> int:
    """Return the place after the last match that lies within one span after `held[first]`."""
    return bisect_right(held, held[first].time + span, first, key=_TIME)


def episode(
    events: Sequence[Held], core: Sequence[Held], span: float, *, holds: bool, certain: bool
) -> Episode:
    """Return the episode of these matches: it closes one span after its first."""
    closes_at = events[0].time + span
    return Episode(events, core, closes_at, (closes_at, AFTER_ALL, ""), holds, certain)
