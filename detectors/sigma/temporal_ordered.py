"""`temporal_ordered`: one event of each rule, in the order of the list, within a time span.

The walk keeps for each step the chain that began latest (it has the most time left). Events of one and
the same time count as in order: sources round their times. An event stands for one step only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.window import Held


def walk(rule: CorrelationRule, held: Sequence[Held]) -> Iterator[Episode]:
    """Yield the chains of matches sorted by place, none overlapping."""
    steps = len(rule.rules)
    chains: list[tuple[Held, ...]] = [()] * steps
    for item in held:
        place = item.rule
        if place == 0:
            chains[0] = (item,)
            continue
        before = chains[place - 1]
        if not before or item.time - before[0].time > rule.timespan_s:
            continue
        if any(earlier.event_id == item.event_id for earlier in before):
            continue
        chain = (*before, item)
        if place < steps - 1:
            chains[place] = chain
            continue
        yield Episode(chain, chain, item.time, item.order, holds=True, certain=True)
        chains = [()] * steps
