"""What each rule costs: the CPU time of its condition on the events on which the engine tries it.

The engine sorts events and tries few rules on each; after it has learned from all events once, the events on
which each rule is tried are gathered, and the rule's condition is run over them in a loop by itself. What the
rules share (decoding, sorting) and what only a match costs (the finding) is in no rule's figure.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from detection_report_data import Recording

from connectors.sources.catalogue import profile
from connectors.sources.files import read_events
from detectors.event import Event, Fields
from detectors.sigma.index import Candidate, Index
from detectors.sigma.ruleset import RuleSet

EVENTS = 8_000
"""Events of a recording that are kept in memory for this."""
ROUNDS = 5
_LEAST_S = 0.002
"""A round takes at least so long: short ones are repeated."""


class Cost(NamedTuple):
    """CPU microseconds of a rule per 1,000 events of its source: median, least, greatest of the rounds."""

    title: str
    kind: str
    us: float
    least: float
    most: float
    tried: int
    events: int


def costs(recording: Recording, ruleset: RuleSet) -> list[Cost]:
    """Return the cost of every rule that is tried on a recording's first events, the dearest first."""
    source = profile(recording.kind)
    found = (item for item in read_events(recording.path, source) if isinstance(item, Event))
    events = [event.fields for event in islice(found, EVENTS)]
    index = Index(ruleset.rules, ruleset.correlations, source)
    for fields in events:
        _tried(index, fields)
    tried: dict[Candidate, list[Fields]] = defaultdict(list)
    for fields in events:
        for candidate in _tried(index, fields):
            tried[candidate].append(fields)
    rounds: dict[Candidate, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all rules alike
        for candidate, its in tried.items():
            rounds[candidate].append(1e9 * _seconds(candidate, its) / len(events))
    return sorted(
        (_cost(one, recording.kind, its, len(tried[one]), len(events)) for one, its in rounds.items()),
        key=lambda cost: -cost.us,
    )


def _tried(index: Index, fields: Fields) -> Sequence[Candidate]:
    index.dispatch.asked += 1
    candidates = index.candidates(fields)
    for candidate in candidates:
        if not candidate.holds(fields):
            index.tried_in_vain(candidate, fields)
    return candidates


def _seconds(candidate: Candidate, events: Sequence[Fields]) -> float:
    """Return the CPU seconds of one pass over `events`."""
    holds, passes = candidate.holds, 0
    begun = time.process_time()
    while (spent := time.process_time() - begun) < _LEAST_S:
        for fields in events:
            holds(fields)
        passes += 1
    return spent / passes


def _cost(one: Candidate, kind: str, its: Sequence[float], tried: int, events: int) -> Cost:
    middle = statistics.median(its)
    return Cost(one.rule.identity.title, kind, middle, min(its), max(its), tried, events)
