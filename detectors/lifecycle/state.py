"""The states of rules, and what is left of a rule set when they are applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from detectors.sigma.ruleset import RuleSet

State: TypeAlias = Literal["draft", "shadow", "live", "retired"]
STATES: Final[tuple[State, ...]] = ("draft", "shadow", "live", "retired")
ASLEEP: Final = frozenset[State]({"draft", "retired"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands: its state since when (seconds, UTC), by whose word and why.

    A rule of which nothing is said is live.
    """

    state: State
    since: float
    by: str
    reason: str
    place: str = ""


def awake(ruleset: RuleSet, standings: Mapping[str, Standing]) -> RuleSet:
    """Return the rules and correlations that are evaluated: all but drafts and retired ones.

    One that a correlation in force refers to stays, without findings of its own.
    """
    asleep = {rule_id for rule_id, standing in standings.items() if standing.state in ASLEEP}
    if not asleep:
        return ruleset
    # Correlations stand behind those that they refer to: from the end on, who needs a part is known.
    kept, needed = list[int](), set[str]()
    for place in reversed(range(len(ruleset.correlations))):
        item = ruleset.correlations[place]
        if item.id not in asleep or item.id in needed:
            kept.append(place)
            needed.update(item.rules)
    correlations = tuple(
        replace(item, quiet=True) if item.id in asleep else item
        for item in (ruleset.correlations[place] for place in reversed(kept))
    )
    rules = tuple(
        replace(rule, quiet=True) if rule.id in asleep else rule
        for rule in ruleset.rules
        if rule.id not in asleep or rule.id in needed
    )
    return replace(ruleset, rules=rules, correlations=correlations)


def shadows(standings: Mapping[str, Standing]) -> frozenset[str]:
    """Return the ids of the rules in shadow."""
    return frozenset(rule_id for rule_id, standing in standings.items() if standing.state == "shadow")
