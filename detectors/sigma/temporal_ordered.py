"""`temporal_ordered`: one event of each rule, in the order of the list, within a time span.

The walk keeps for each step the chain that began latest (it has the most time left). An episode begins
with the first chain that is complete and takes in every match up to one span after the chain's first
event: a sequence that goes on is one finding, and whatever was announced before shares an event with it.
Events of one and the same time count as in order: sources round their times. An event stands for one
step only. An expression over the rules (and, or) stands for its alternatives: the rules of one of them, in
the order of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final, TypeAlias

from detectors.sigma.episode import Episode
from detectors.sigma.rule import AllOf, AnyOf, CorrelationRule, NoneOf, Required, Seen
from detectors.sigma.temporal import satisfied, wanted
from detectors.sigma.window import AFTER_ALL, Held

Steps: TypeAlias = tuple[int, ...]
MAX_ALTERNATIVES: Final = 16


class TooManyAlternativesError(ValueError):
    """An expression stands for more sequences than are followed."""


def alternatives(required: Required) -> tuple[Steps, ...]:
    """Return the sequences of places that satisfy an expression, none of which holds another.

    Raises TooManyAlternativesError, and ValueError for a `not`.
    """
    found = sorted(_choices(required), key=lambda choice: (len(choice), sorted(choice)))
    kept: list[frozenset[int]] = []
    for choice in found:
        if not any(known <= choice for known in kept):
            kept.append(choice)
    return tuple(tuple(sorted(choice)) for choice in kept)


def _choices(required: Required) -> set[frozenset[int]]:
    match required:
        case Seen(place):
            return {frozenset((place,))}
        case AnyOf(parts):
            found = {choice for part in parts for choice in _choices(part)}
        case AllOf(parts):
            found = {frozenset[int]()}
            for part in parts:
                found = {one | other for one, other in product(found, _choices(part))}
                if len(found) > MAX_ALTERNATIVES:
                    break
        case NoneOf():
            raise ValueError("an order has no place for what must not happen")
    if len(found) > MAX_ALTERNATIVES:
        raise TooManyAlternativesError(f"more than {MAX_ALTERNATIVES} sequences satisfy it")
    return found


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    sequences = alternatives(wanted(rule))
    begin = 0
    while begin < len(held):
        chain = _first_chain(sequences, rule.timespan_s, held, begin)
        if chain is None:
            return
        closes_at = held[chain[0]].time + rule.timespan_s
        end = chain[-1] + 1
        while end < len(held) and held[end].time <= closes_at:
            end += 1
        core = tuple(held[place] for place in chain)
        floor = (closes_at, AFTER_ALL, "")
        yield Episode(held[chain[0] : end], core, closes_at, floor, holds=True, certain=True)
        begin = end


def may_hold(rule: CorrelationRule) -> Callable[[Sequence[Held]], bool]:
    """Return a test that is false only for matches that hold no sequence in any order."""
    required = wanted(rule)
    return lambda held: satisfied(required, {item.rule for item in held})


def _first_chain(
    sequences: Sequence[Steps], span: float, held: Sequence[Held], begin: int
) -> tuple[int, ...] | None:
    """Return the places of the first complete chain from `begin` on."""
    running = [(steps, [()] * len(steps)) for steps in sequences]
    for place in range(begin, len(held)):
        for steps, chains in running:
            chain = _extended(steps, chains, span, held, place)
            if chain is not None:
                return chain
    return None


def _extended(
    steps: Steps, chains: list[tuple[int, ...]], span: float, held: Sequence[Held], place: int
) -> tuple[int, ...] | None:
    """Take a match into the chains of one sequence; return the chain that it completes."""
    item = held[place]
    if item.rule not in steps:
        return None
    step = steps.index(item.rule)
    if step == 0:
        chains[0] = (place,)
    else:
        before = chains[step - 1]
        if not before or held[before[0]].time + span < item.time:
            return None
        if any(held[earlier].event_id == item.event_id for earlier in before):
            return None
        chains[step] = (*before, place)
    return chains[step] if step == len(steps) - 1 else None
