"""What a first-seen model is: whose rule it is, how loud, and how it says what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from detectors.level import Level

Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Novelty:
    """A peer that its subject never had: what was observed, and what was expected from the baseline.

    `known` are the peers of the baseline, sorted; `baseline_s` its age in seconds of event time;
    `outside` what the source says of the peer: none of the platform's.
    """

    subject: Name
    peer: Name
    known: Sequence[Name]
    baseline_s: float
    outside: bool = False

    @property
    def days(self) -> float:
        """The age of the baseline in days."""
        return self.baseline_s / 86400


class FirstSeenModel(Protocol):
    """One model; a stateless object. `rule_id` is fixed, it is part of every finding's id."""

    name: str
    rule_id: str
    version: int
    title: str
    source: str
    attack: tuple[str, ...]
    labels: Mapping[str, str]

    def level(self, novelty: Novelty) -> Level:
        """Return how grave a new peer is."""
        ...

    def explain(self, novelty: Novelty) -> str:
        """Return one sentence with observed and expected values."""
        ...
