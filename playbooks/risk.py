"""Risk of one actor: what its findings weigh, how that fades, and when they are one campaign.

The model is that of risk-based alerting: findings too weak to page by themselves add up by who did them.
Volume buys nothing: a rule counts once, with its strongest finding, so that neither a noisy rule nor an
attacker who floods one can make a campaign, or hide one. Time is event time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from detectors.level import Level, rank

WEIGHTS: Final[Mapping[Level, float]] = {
    "informational": 0.0,
    "low": 5.0,
    "medium": 15.0,
    "high": 40.0,
    "critical": 80.0,
}
"""What a finding of a level weighs at its time."""
TACTIC_FACTORS: Final[Mapping[str, float]] = {
    "reconnaissance": 0.5,
    "discovery": 0.5,
    "credential-access": 1.25,
    "lateral-movement": 1.25,
    "exfiltration": 1.5,
    "impact": 1.5,
}
"""Looking around is common and cheap; what takes data or destroys it is the end of an attack. Others: 1."""
MAX_FINDINGS: Final = 500
HALF_LIFE_S: Final = 43_200.0


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """When findings are a campaign (`config.risk`); times in seconds."""

    enabled: bool = True
    half_life_s: float = HALF_LIFE_S
    window_s: float = 86_400.0
    tactics: int = 3
    opening_score: float = 30.0


@dataclass(frozen=True, slots=True)
class Contribution:
    """One finding as it adds to its actor's risk. `incident_id` is the incident that it is part of."""

    finding_id: str
    rule_id: str
    level: Level
    event_time: float
    tactics: frozenset[str]
    incident_id: str | None = None

    @property
    def weight(self) -> float:
        """What it weighs at its own time: its level's, by the gravest of its tactics."""
        return WEIGHTS[self.level] * max((TACTIC_FACTORS.get(t, 1.0) for t in self.tactics), default=1.0)


def score(contributions: Iterable[Contribution], at: float, half_life_s: float) -> float:
    """Return the risk at `at` (seconds, UTC): each rule's strongest finding, halved every half-life.

    Findings after `at` count in full.
    """
    strongest: dict[str, float] = {}
    for one in contributions:
        age = max(0.0, at - one.event_time)
        strongest[one.rule_id] = max(strongest.get(one.rule_id, 0.0), one.weight * 0.5 ** (age / half_life_s))
    return sum(strongest.values())


def tactics_met(contributions: Iterable[Contribution]) -> Sequence[str]:
    """Return the fewest tactics that explain every finding that has one, in the order of their names.

    A technique may belong to several tactics (T1078 to four), so counting all of them would make a campaign
    of one step. What few tactics explain is taken for those few: the minimum hitting set, of at most 15.
    """
    wanted = {one.tactics for one in contributions if one.tactics}
    names = sorted(frozenset[str]().union(*wanted))
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            if all(not tactics.isdisjoint(chosen) for tactics in wanted):
                return chosen
    return names


def campaign(contributions: Iterable[Contribution], limits: RiskLimits) -> Sequence[Contribution]:
    """Return the findings of one actor that are a campaign, by time; empty when they are none.

    It begins with the earliest window that holds enough tactics and risk, and goes on while the next finding
    lies within a window of the one before. The order in which findings are given does not matter.
    """
    ordered = sorted(contributions, key=lambda one: (one.event_time, one.finding_id))[-MAX_FINDINGS:]
    if not ordered or not _is_campaign(ordered, ordered[0].event_time, limits):
        return ()  # not even if nothing faded
    for first in range(len(ordered)):
        end = ordered[first].event_time + limits.window_s
        inside = [one for one in ordered[first:] if one.event_time <= end]
        if _is_campaign(inside, inside[-1].event_time, limits):
            return _going_on(ordered[first:], limits.window_s)
    return ()


def campaign_level(contributions: Iterable[Contribution]) -> Level:
    """Return the level of a campaign: high, or critical when one of its findings is."""
    return "critical" if any(rank(one.level) >= rank("critical") for one in contributions) else "high"


def _is_campaign(inside: Sequence[Contribution], at: float, limits: RiskLimits) -> bool:
    if len({one.rule_id for one in inside}) < limits.tactics:
        return False
    if score(inside, at, limits.half_life_s) < limits.opening_score:
        return False
    return len(tactics_met(inside)) >= limits.tactics


def _going_on(ordered: Sequence[Contribution], window_s: float) -> Sequence[Contribution]:
    kept = [ordered[0]]
    for one in ordered[1:]:
        if one.event_time - kept[-1].event_time > window_s:
            break
        kept.append(one)
    return kept
