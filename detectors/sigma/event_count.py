"""`event_count`: so many events of a group within a time span.

For gt and gte an episode begins with the earliest events that together reach the count within the span,
and takes in everything up to one span after its first event: one burst is one finding. For lt, lte, eq and
neq (undone by more events) windows of one span follow each other, each from the first event not yet used.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule, Operator
from detectors.sigma.window import AFTER_ALL, Held

COMPARE: Final[dict[Operator, Callable[[int, int], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


def walk(rule: CorrelationRule, held: Sequence[Held]) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    yield from _rising(rule, held) if rule.op in ("gt", "gte") else _tumbling(rule, held)


def _rising(rule: CorrelationRule, held: Sequence[Held]) -> Iterator[Episode]:
    needed = max(1, rule.count + 1 if rule.op == "gt" else rule.count)
    first = 0
    place = 0
    while place < len(held):
        while held[place].time - held[first].time > rule.timespan_s:
            first += 1
        if place - first + 1 < needed:
            place += 1
            continue
        end = _within(held, first, rule.timespan_s)
        yield _episode(held[first:end], held[first : place + 1], rule.timespan_s, holds=True, certain=True)
        first = place = end


def _tumbling(rule: CorrelationRule, held: Sequence[Held]) -> Iterator[Episode]:
    first = 0
    while first < len(held):
        end = _within(held, first, rule.timespan_s)
        events = held[first:end]
        holds = COMPARE[rule.op](len(events), rule.count)
        yield _episode(events, events, rule.timespan_s, holds=holds, certain=False)
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
