"""`temporal_ordered`: one event of each rule, in the order of the list, within a time span.

The walk keeps for each step the chain that began latest (it has the most time left). An episode begins
with the first chain that is complete and takes in every match up to one span after the chain's first
event: a sequence that goes on is one finding, and whatever was announced before shares an event with it.
Events of one and the same time count as in order: sources round their times. An event stands for one
step only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.window import AFTER_ALL, Held


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    begin = 0
    while begin < len(held):
        chain = _first_chain(rule, held, begin)
        if chain is None:
            return
        closes_at = held[chain[0]].time + rule.timespan_s
        end = chain[-1] + 1
        while end < len(held) and held[end].time <= closes_at:
            end += 1
        core = tuple(held[place] for place in chain)
        floor = (closes_at, AFTER_ALL, "")
        yield Episode(tuple(held[chain[0] : end]), core, closes_at, floor, holds=True, certain=True)
        begin = end


def _first_chain(rule: CorrelationRule, held: Sequence[Held], begin: int) -> tuple[int, ...] | None:
    """Return the places of the first complete chain from `begin` on."""
    steps = len(rule.rules)
    chains: list[tuple[int, ...]] = [()] * steps
    for place in range(begin, len(held)):
        item = held[place]
        if item.rule == 0:
            chains[0] = (place,)
            continue
        before = chains[item.rule - 1]
        if not before or item.time - held[before[0]].time > rule.timespan_s:
            continue
        if any(held[earlier].event_id == item.event_id for earlier in before):
            continue
        chains[item.rule] = (*before, place)
        if item.rule == steps - 1:
            return chains[item.rule]
    return None
