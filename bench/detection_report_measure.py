"""Recall, false alarms and precision of one rule set on one recording.

An alert is a finding of level low or above, counted once an id. It is right when one of its events is part of
a technique; else it is on a look-alike, on events that are left out, or false.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from detection_report_data import Recording

from daemon.scan_tally import Tally
from daemon.scanning import Located, scan
from detectors.level import Level, rank
from detectors.sigma.ruleset import RuleSet

LEVELS: tuple[Level, ...] = ("low", "medium", "high", "critical")
MEDIUM, HIGH = rank("medium"), rank("high")


@dataclass
class Measured:
    """What one scan gave. Rates are alerts per 1,000 ordinary ids; `cpu_ms` is for 1,000 events."""

    recording: Recording
    found: dict[str, Level] = field(default_factory=dict[str, Level])
    """Technique -> the highest level of an alert on it."""
    false: Counter[str] = field(default_factory=Counter[str])
    false_by_rule: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(title, level) -> alerts."""
    alike: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Look-alike -> titles of the rules with an alert of medium or above on it."""
    right_high: int = 0
    wrong_high: int = 0
    rejected: int = 0
    faults: int = 0
    cpu_ms: float = 0.0

    @property
    def found_medium(self) -> int:
        """How many techniques have an alert of medium or above."""
        return sum(rank(level) >= MEDIUM for level in self.found.values())

    @property
    def precision(self) -> float | None:
        """Share of the alerts of high and above that are right, look-alikes being wrong. None: no alert."""
        whole = self.right_high + self.wrong_high
        return self.right_high / whole if whole else None

    @property
    def missed(self) -> list[str]:
        """The techniques without an alert."""
        return [one for one in self.recording.attacks if one not in self.found]

    @property
    def low_only(self) -> list[str]:
        """The techniques whose only alerts are of level low."""
        return [one for one, level in self.found.items() if rank(level) < MEDIUM]

    def rate(self, *levels: str) -> float:
        """Return the false alerts of these levels per 1,000 ordinary ids."""
        return 1000 * sum(self.false[level] for level in levels) / max(1, self.recording.ordinary)


def measure(recording: Recording, ruleset: RuleSet, learning_s: float | None = None) -> Measured:
    """Scan a recording; `learning_s`: learning period of first-seen baselines, None for no baselines."""
    out, tally = Measured(recording), Tally()
    attacked, alike = recording.attacked, recording.alike
    begun = time.process_time()
    located = list(scan([recording.path], recording.kind, ruleset, learning_s=learning_s, tally=tally))
    out.cpu_ms = 1e6 * (time.process_time() - begun) / max(1, tally.events)
    out.rejected, out.faults = tally.rejected.total(), tally.evaluation_errors.total()
    by_id: Mapping[str, Located] = {one.finding.finding_id: one for one in located}
    for one in by_id.values():
        if one.finding.level == "informational":
            continue
        ids = {recording.ids[place.offset - 1] for place in one.locators}
        if ids & attacked:
            _right(out, one, ids)
        elif ids & alike:
            _alike(out, one, ids)
        elif recording.rate and not ids & recording.ignored:
            _false(out, one)
    return out


def _right(out: Measured, one: Located, ids: set[str | int]) -> None:
    level = one.finding.level
    out.right_high += rank(level) >= HIGH
    for technique, its in out.recording.attacks.items():
        if ids & its:
            out.found[technique] = max(out.found.get(technique, "low"), level, key=rank)


def _alike(out: Measured, one: Located, ids: set[str | int]) -> None:
    level = one.finding.level
    out.wrong_high += rank(level) >= HIGH
    for name, its in out.recording.lookalikes.items():
        if ids & its and rank(level) >= MEDIUM:
            out.alike.setdefault(name, set()).add(one.finding.title)


def _false(out: Measured, one: Located) -> None:
    level = one.finding.level
    out.false[level] += 1
    out.wrong_high += rank(level) >= HIGH
    out.false_by_rule[one.finding.title, level] += 1
