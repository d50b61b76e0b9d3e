"""What a rule must have shown before it may go on: tests, a replay, two quiet days. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from detectors.finding import rfc3339
from detectors.lifecycle.state import Standing, State

LEAST_TRIES: Final = 2
"""Events that must match, and look-alikes that must not."""
LEAST_EVENTS: Final = 1000
QUIET_S: Final = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class Tried:
    """The test events beside the rule: how many must match, must not, and how many failed."""

    match: int = 0
    no_match: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay of the rule alone: events of its source and findings of level medium and above."""

    events: int
    findings: int

    @property
    def per_thousand(self) -> float:
        """Findings a thousand events."""
        return 1000 * self.findings / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """Findings that the rule made in shadow in the last two days, and the ones that somebody judged right."""

    findings: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that is asked: its name, whether it is met, what was seen."""

    name: str
    met: bool
    told: str


def requirements(
    standing: Standing | None,
    to: State,
    at: float,
    tried: Tried,
    replayed: Replayed | None,
    recorded: Recorded | None,
    most_per_thousand: float,
) -> list[Requirement]:
    """Return what a step to `to` asks, met or not. `standing` None: nothing is said of the rule, it is live.

    `at`: the time that counts as now, seconds (UTC). A step back (shadow, draft, retired from live) asks
    nothing; `replayed` and `recorded` are None where nobody looked.
    """
    now = "live" if standing is None else standing.state
    if to in ("draft", "retired") or (to == "shadow" and now == "live"):
        return []
    found = [_tests(tried)]
    if to == "live":
        found += [_step(now), _replay(replayed, most_per_thousand), *_quiet(standing, at, recorded)]
    return found


def _tests(tried: Tried) -> Requirement:
    enough = tried.match >= LEAST_TRIES and tried.no_match >= LEAST_TRIES
    told = f"{tried.match} events that must match, {tried.no_match} that must not, {tried.failed} failed"
    if not enough:
        told += f"; at least {LEAST_TRIES} of each are needed in the .events.json beside the rule"
    return Requirement("tests", enough and not tried.failed, told)


def _step(now: State) -> Requirement:
    told = f"the rule is {now}" + ("" if now == "shadow" else "; it must be in shadow first")
    return Requirement("shadow", now == "shadow", told)


def _replay(replayed: Replayed | None, most: float) -> Requirement:
    if replayed is None:
        return Requirement("replay", False, "nothing was replayed; name the source and files of its events")
    rate = replayed.per_thousand
    told = (
        f"{replayed.findings} findings in {replayed.events:,} events, {rate:.2f} a thousand (below {most:g})"
    )
    if replayed.events < LEAST_EVENTS:
        return Requirement("replay", False, f"{told}; at least {LEAST_EVENTS:,} events are needed")
    return Requirement("replay", rate < most, told)


def _quiet(standing: Standing | None, at: float, recorded: Recorded | None) -> Iterator[Requirement]:
    if standing is None or standing.state != "shadow":
        return
    for_s = at - standing.since
    hours = QUIET_S / 3600
    told = f"in shadow since {rfc3339(standing.since)}, for {max(0.0, for_s) / 3600:.0f} of {hours:.0f} h"
    yield Requirement("48 hours", for_s >= QUIET_S, told)
    if recorded is None:
        yield Requirement("quiet", False, "the recorded findings were not read")
        return
    told = f"{recorded.findings} findings in the last {hours:.0f} h, {recorded.allowed} allowed"
    yield Requirement("quiet", recorded.findings <= recorded.allowed, told)
