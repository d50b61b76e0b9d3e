"""`davylamp scan`: files in, findings out, with the code of detect and correlate and no Kafka.

Correlations advance in event time with the watermark at infinity after the last event, so only final findings
come; baselines learn in event time from the files themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from connectors.sources.catalogue import profile
from connectors.sources.files import read_events
from connectors.sources.reject import Reject
from detectors.anomaly.first_seen import MODELS, observe
from detectors.event import Contact, EntityType, Event, Fields, Json, Locator
from detectors.finding import Finding
from detectors.sigma.correlation import advance
from detectors.sigma.engine import Engine
from detectors.sigma.match import Match
from detectors.sigma.ruleset import RuleSet

CHUNK_MATCHES: Final = 500
_INFINITY: Final = float("inf")
Name: TypeAlias = tuple[EntityType, str]
Edge: TypeAlias = tuple[str, Name, Name]


class Located(NamedTuple):
    """A finding and where its events stand, in the order of its event ids."""

    finding: Finding
    locators: tuple[Locator, ...]

    def to_json(self) -> Fields:
        """Return the finding's object with ``locations``: file and 1-based line of each event."""
        document = self.finding.to_json()
        document["locations"] = [{"file": place.topic, "line": place.offset} for place in self.locators]
        return document


@dataclass(slots=True)
class Tally:
    """What a scan read: events, and what it could not use by reason."""

    events: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    evaluation_errors: Counter[str] = field(default_factory=Counter[str])


def scan(
    paths: Iterable[Path], kind: str, ruleset: RuleSet, *, learning_s: float, tally: Tally | None = None
) -> Iterator[Located]:
    """Yield findings of stateless rules as they are met, then those of correlations and baselines.

    `learning_s`: learning period of baselines in seconds of event time. `tally` is filled while reading.
    Raises UnknownSourceError, and FileUnreadableError for a file that cannot be opened.
    """
    scanning = _Scanning(ruleset, tally or Tally())
    source = profile(kind)
    for path in paths:
        for item in read_events(path, source):
            if isinstance(item, Event):
                yield from scanning.take(item)
            else:
                scanning.refuse(item)
    yield from scanning.correlations()
    yield from scanning.baselines(learning_s)


class _Scanning:
    def __init__(self, ruleset: RuleSet, tally: Tally) -> None:
        self._ruleset = ruleset
        self._tally = tally
        self._inspect = Engine(ruleset).inspect
        self._matches: dict[str, list[Match]] = defaultdict(list)
        self._edges: dict[Edge, tuple[Event, bool]] = {}
        self._places: dict[str, Locator] = {}

    def take(self, event: Event) -> Sequence[Located]:
        """Inspect one event; return its own findings."""
        self._tally.events += 1
        for contact in event.profile.contacts(event):
            self._meet(contact, event)
        findings, matches, errors = self._inspect(event)
        for match in matches:
            self._matches[match.key()].append(match)
            self._places.setdefault(match.event_id, event.locator)
        for error in errors:
            self._tally.evaluation_errors[error.rule_id] += 1
        return [Located(finding, (event.locator,)) for finding in findings] if findings else ()

    def refuse(self, reject: Reject) -> None:
        """Count what could not be read."""
        self._tally.rejected[reject.reason.value] += 1

    def correlations(self) -> Iterator[Located]:
        """Yield the final findings of every group."""
        for key in sorted(self._matches):
            rule = self._ruleset.correlation(key.partition("|")[0])
            if rule is None:
                continue
            matches = sorted(self._matches[key], key=lambda match: (match.time, match.event_id))
            state: Fields | None = None
            for chunk, watermark in in_chunks(matches):
                step = advance(rule, state, chunk, watermark)
                state = step.state
                yield from (self._located(f) for f in step.findings if f.status == "final")

    def baselines(self, learning_s: float) -> Iterator[Located]:
        """Yield what was reached for the first time after the learning period."""
        states: dict[tuple[str, Name], Fields] = {}
        for edge, (event, outside) in sorted(self._edges.items(), key=_when):
            model = MODELS.get(edge[0])
            if model is None:
                continue
            self._places.setdefault(event.event_id, event.locator)
            step = observe(model, states.get(edge[:2]), _flow(edge, event, outside), learning_s)
            states[edge[:2]] = step.state
            yield from (self._located(finding) for finding in step.findings)

    def _meet(self, contact: Contact, event: Event) -> None:
        edge = contact[:3]
        known = self._edges.get(edge)
        if known is None:
            self._edges[edge] = (event, contact.outside)
        elif event.time < known[0].time or (contact.outside and not known[1]):
            first = event if event.time < known[0].time else known[0]
            self._edges[edge] = (first, contact.outside or known[1])

    def _located(self, finding: Finding) -> Located:
        return Located(finding, tuple(self._places[event_id] for event_id in finding.event_ids))


def in_chunks(matches: Sequence[Match]) -> Iterator[tuple[Sequence[Match], float]]:
    """Yield matches that are sorted by time in chunks, each with the watermark after it.

    That is the time of the next chunk's first match, and infinity after the last chunk. A group's state
    holds 2,000 matches at most, so a long one must not be given at once.
    """
    for start in range(0, len(matches), CHUNK_MATCHES):
        end = start + CHUNK_MATCHES
        yield matches[start:end], matches[end].time if end < len(matches) else _INFINITY


def _when(item: tuple[Edge, tuple[Event, bool]]) -> tuple[float, Edge]:
    return item[1][0].time, item[0]


def _flow(edge: Edge, event: Event, outside: bool) -> dict[str, Json]:
    entities: list[Json] = [
        {"type": e.type, "id": e.id, "role": e.role} for e in event.profile.entities(event)
    ]
    return {
        "kind": "flow",
        "model": edge[0],
        "subject": list(edge[1]),
        "peer": list(edge[2]),
        "first_time": event.time,
        "last_time": event.time,
        "first_event_id": event.event_id,
        "entities": entities,
        "outside": outside,
    }
