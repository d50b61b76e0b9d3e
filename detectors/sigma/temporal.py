"""`temporal`: matches of all listed rules, in any order, within a time span; or of an expression over them.

An expression with `not` can be undone by a later match: then windows of one span follow each other, each
from the first match not yet used, and only a window that is over is judged (Sigma SEP 198).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from detectors.sigma.episode import Episode
from detectors.sigma.rule import AllOf, AnyOf, CorrelationRule, NoneOf, Required, Seen
from detectors.sigma.sliding import rising, tumbling
from detectors.sigma.window import Held


class Presence:
    """Which of the listed rules matched."""

    certain = True

    def __init__(self, required: Required) -> None:
        self._required = required
        self._seen: Counter[int] = Counter()

    def add(self, item: Held) -> None:
        """Take a match in."""
        self._seen[item.rule] += 1

    def drop(self, item: Held) -> None:
        """Let a match go."""
        self._seen[item.rule] -= 1
        if not self._seen[item.rule]:
            del self._seen[item.rule]

    def holds(self) -> bool:
        """Judge the expression on the rules that matched."""
        return satisfied(self._required, self._seen.keys())


def wanted(rule: CorrelationRule) -> Required:
    """Return the expression of a temporal correlation; without one, all rules."""
    return rule.required or AllOf(tuple(Seen(place) for place in range(len(rule.rules))))


def walk(rule: CorrelationRule, held: Sequence[Held], _judged: float) -> Iterator[Episode]:
    """Yield the episodes of matches sorted by place, none overlapping."""
    required = wanted(rule)
    undone = excludes(required)
    return (tumbling if undone else rising)(rule, held, lambda: Presence(required))


def may_hold(rule: CorrelationRule) -> Callable[[Sequence[Held]], bool]:
    """Return a test that is false only for matches that satisfy no expression without `not`."""
    required = wanted(rule)
    return lambda held: satisfied(required, {item.rule for item in held})


def satisfied(required: Required, seen: Collection[int]) -> bool:
    """Return whether the rules `seen` (by their place in the list) satisfy `required`."""
    match required:
        case Seen(place):
            return place in seen
        case AllOf(parts):
            return all(satisfied(part, seen) for part in parts)
        case AnyOf(parts):
            return any(satisfied(part, seen) for part in parts)
        case NoneOf(part):
            return not satisfied(part, seen)


def excludes(required: Required) -> bool:
    """Return whether there is a `not` in it."""
    match required:
        case Seen():
            return False
        case AllOf(parts) | AnyOf(parts):
            return any(excludes(part) for part in parts)
        case NoneOf():
            return True
