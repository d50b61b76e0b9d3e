"""`davylamp scan`: files in, findings out, with the code of detect and correlate and no Kafka.

Correlations advance in event time with the watermark at infinity after the last event, so only final findings
come; baselines learn in event time from the files themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from config.istio import Istio
from connectors.sources.files import read_events
from connectors.sources.istio_configured import configured
from connectors.sources.reject import Reject
from daemon.scan_tally import ALWAYS, Period, Tally
from daemon.skimming import Skimming
from detectors.anomaly.first_seen import MODELS, observe
from detectors.event import Entity, EntityType, Event, Fields, Json, Locator
from detectors.finding import Finding
from detectors.sigma.engine import Engine, Inspection
from detectors.sigma.groups import Groups
from detectors.sigma.ruleset import RuleSet

_INFINITY: Final = float("inf")
_STANDARD: Final = Istio()
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


class First(NamedTuple):
    """The first event of an edge: all that a baseline asks of it. `time` in seconds (UTC)."""

    time: float
    event_id: str
    place: Locator
    entities: tuple[Entity, ...]
    outside: bool


class Reading(NamedTuple):
    """What files are read with: the kind of source, the rules, the times judged, the mesh's own formats.

    `whole`: every event is decoded as a whole, also where no rule can match it. The answer is the same.
    """

    kind: str
    ruleset: RuleSet
    period: Period = ALWAYS
    istio: Istio = _STANDARD
    whole: bool = False


def scan(
    paths: Iterable[Path],
    kind: str,
    ruleset: RuleSet,
    *,
    learning_s: float | None,
    tally: Tally | None = None,
    period: Period = ALWAYS,
    istio: Istio = _STANDARD,
    whole: bool = False,
) -> Iterator[Located]:
    """Yield findings of stateless rules as they are met, then those of correlations and baselines.

    `learning_s`: learning period of baselines in seconds of event time, None for no baselines. `tally` is
    filled while reading. Events outside `period` meet no rule; baselines learn from the earlier ones.
    `istio`: formats of the mesh's access logs; `whole`: see `Reading`. Raises UnknownSourceError,
    ConfigurationError for a format, and FileUnreadableError for a file that cannot be opened.
    """
    gathered = Gathered(tally or Tally())
    reader = FileReader(Reading(kind, ruleset, period, istio, whole))
    for path in paths:
        yield from reader.read(path, gathered)
    yield from gathered.correlations(ruleset)
    if learning_s is not None:
        yield from gathered.baselines(learning_s, period)


class FileReader:
    """Reads files of one source through one engine."""

    def __init__(self, reading: Reading) -> None:
        """Raises UnknownSourceError, and ConfigurationError for a format that cannot be read."""
        self._source = configured(reading.kind, reading.istio)
        engine = Engine(reading.ruleset)
        self._inspect = engine.inspect
        self._period = reading.period
        dispatch = engine.dispatch(self._source)
        self._skimming = None if reading.whole else Skimming(self._source, dispatch, reading.period)

    def read(self, path: Path, gathered: Gathered) -> Iterator[Located]:
        """Yield the findings of single events; what needs more than one event goes to `gathered`.

        Raises FileUnreadableError.
        """
        everything = self._period == ALWAYS
        if self._skimming is not None:
            self._skimming.tally = gathered.tally
        for item in read_events(path, self._source, self._skimming):
            if not isinstance(item, Event):
                gathered.refuse(item)
            elif everything or self._period.start <= item.time < self._period.end:
                yield from gathered.take(item, self._inspect(item))
            else:
                gathered.pass_by(item, earlier=item.time < self._period.start)


class Gathered:
    """What was read and waits for the end: matches of correlations, contacts of baselines. Picklable."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._groups = Groups()
        self._edges: dict[Edge, First] = {}
        self._places: dict[str, Locator] = {}

    def take(self, event: Event, inspection: Inspection) -> Sequence[Located]:
        """Keep what one event gave; return its own findings."""
        self.tally.events += 1
        self._learn(event)
        findings, matches, errors = inspection
        if matches:
            self._groups.take(matches)
        for match in matches:
            self._places.setdefault(match.event_id, event.locator)
        for error in errors:
            self.tally.evaluation_errors[error.rule_id] += 1
        return [Located(finding, (event.locator,)) for finding in findings] if findings else ()

    def pass_by(self, event: Event, *, earlier: bool) -> None:
        """Count an event outside the period; contacts of an earlier one are learned."""
        self.tally.outside += 1
        if earlier:
            self._learn(event)

    def refuse(self, reject: Reject) -> None:
        """Count what could not be read."""
        self.tally.rejected[reject.reason.value] += 1

    def add(self, later: Gathered) -> None:
        """Take in what was gathered from the files after these: the same as reading them here."""
        self.tally.add(later.tally)
        self._groups.add(later._groups)
        for event_id, place in later._places.items():
            self._places.setdefault(event_id, place)
        for edge, first in later._edges.items():
            self._meet(edge, first)

    def correlations(self, ruleset: RuleSet) -> Iterator[Located]:
        """Yield the final findings of every group."""
        yield from map(self._located, self._groups.finals(ruleset.correlations))
        self.tally.dropped_groups.update(self._groups.dropped)
        self.tally.turned_away.update(self._groups.overflow)

    def baselines(self, learning_s: float, period: Period = ALWAYS) -> Iterator[Located]:
        """Yield what was reached for the first time after the learning period, and inside `period`."""
        states: dict[tuple[str, Name], Fields] = {}
        for edge, first in sorted(self._edges.items(), key=_when):
            model = MODELS.get(edge[0])
            if model is None:
                continue
            self._places.setdefault(first.event_id, first.place)
            step = observe(model, states.get(edge[:2]), _flow(edge, first), learning_s)
            states[edge[:2]] = step.state
            if first.time >= period.start:
                yield from (self._located(finding) for finding in step.findings)

    def _learn(self, event: Event) -> None:
        for contact in event.profile.contacts(event):
            edge = contact[:3]
            known = self._edges.get(edge)
            if known is None or event.time < known.time:
                entities = tuple(event.profile.entities(event))
                first = First(event.time, event.event_id, event.locator, entities, contact.outside)
                self._meet(edge, first)
            elif contact.outside and not known.outside:
                self._edges[edge] = known._replace(outside=True)

    def _meet(self, edge: Edge, first: First) -> None:
        known = self._edges.get(edge)
        if known is not None:
            earlier = first if first.time < known.time else known
            first = earlier._replace(outside=first.outside or known.outside)
        self._edges[edge] = first

    def _located(self, finding: Finding) -> Located:
        return Located(finding, tuple(self._places[event_id] for event_id in finding.event_ids))


def _when(item: tuple[Edge, First]) -> tuple[float, Edge]:
    return item[1].time, item[0]


def _flow(edge: Edge, first: First) -> dict[str, Json]:
    entities: list[Json] = [{"type": e.type, "id": e.id, "role": e.role} for e in first.entities]
    return {
        "kind": "flow",
        "model": edge[0],
        "subject": list(edge[1]),
        "peer": list(edge[2]),
        "first_time": first.time,
        "last_time": first.time,
        "first_event_id": first.event_id,
        "entities": entities,
        "outside": first.outside,
    }
