"""`davylamp replay`: the events of a period through the rules once more, with no effect on anything.

The code of detect and correlate without what they write. The watermark is at infinity after the last event,
so only final findings come. What lives from a memory of earlier times (baselines, aliases, audit ids used
twice) and what is said about a source is not replayed: its rule ids begin with ``davylamp-``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.kafka.batch import Record
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from connectors.sources.files import read_events
from connectors.sources.reject import Reject
from connectors.sources.source import Source
from daemon.scan_tally import Period, Tally
from daemon.skimming import Skimming
from detectors.event import Event
from detectors.finding import Finding
from detectors.sigma.engine import Engine
from detectors.sigma.groups import Groups
from detectors.sigma.rule import CorrelationRule, routes
from detectors.sigma.ruleset import RuleSet

OWN: Final = "davylamp-"
"""How the ids of rules begin that are no Sigma rules."""
MAX_MATCHES: Final = 2_000_000
"""Matches that wait for the end of the period: what is held in memory has a bound."""


class TooMuchError(RuntimeError):
    """The period holds more than is kept in memory; the message says what, how many, and the way out."""


class Replaying:
    """Judges events of one source in one period. `tally` says what was read."""

    def __init__(
        self,
        source: Source,
        rules: RuleSet,
        period: Period,
        max_bytes: int,
        most_matches: int = MAX_MATCHES,
    ) -> None:
        """`max_bytes`: the largest record that is read, as detect has it."""
        self.tally = Tally()
        self.left_out = crossing(rules, source.kind)
        self._source = source
        self._rules = rules
        self._period = period
        self._max_bytes = max_bytes
        self._engine = Engine(rules)
        self._groups = Groups()
        self._matches = 0
        self._most_matches = most_matches

    def record(self, record: Record) -> Iterator[Finding]:
        """Yield the findings of a record's single events; what needs several waits. Raises TooMuchError."""
        place = (record.topic, record.partition, record.offset)
        unpacked = unpack(record.value, self._source, *place, max_bytes=self._max_bytes)
        for reject in unpacked.rejects:
            self.tally.rejected[reject.reason.value] += 1
        for event in unpacked.events:
            yield from self._event(event)

    def files(self, paths: Iterable[Path]) -> Iterator[Finding]:
        """Yield the findings of all files, those of correlations last.

        Raises FileUnreadableError, TooMuchError.
        """
        skim = Skimming(self._source, self._engine.dispatch(self._source), self._period)
        skim.tally = self.tally
        for path in paths:
            for item in read_events(path, self._source, skim):
                if isinstance(item, Reject):
                    self.tally.rejected[item.reason.value] += 1
                else:
                    yield from self._event(item)
        yield from self.finals()

    def finals(self) -> Iterator[Finding]:
        """Yield the findings of correlations, when all events were read; those of several sources not."""
        for finding in self._groups.finals(self._rules.correlations):
            if finding.rule_id not in self.left_out:
                yield finding
        self.tally.dropped_groups.update(self._groups.dropped)
        self.tally.turned_away.update(self._groups.overflow)

    def _event(self, event: Event) -> Sequence[Finding]:
        """Judge an event of the period. Its time counts as findings tell it: to the millisecond."""
        if not self._period.start <= round(event.time, 3) < self._period.end:
            self.tally.outside += 1
            return ()
        self.tally.events += 1
        findings, matches, errors = self._engine.inspect(event)
        if matches:
            self._groups.take(matches)
            self._matches += len(matches)
            if self._matches > self._most_matches:
                raise TooMuchError(
                    f"over {self._most_matches:,} matches of correlations: take a shorter period"
                )
        for error in errors:
            self.tally.evaluation_errors[error.rule_id] += 1
        return findings


def crossing(rules: RuleSet, kind: str) -> Mapping[str, str]:
    """Return id -> title of correlations over events of `kind` and of others: one source cannot show them."""
    kinds: dict[str, frozenset[str]] = {}
    for rule in rules.rules:
        kinds[rule.id] = frozenset(one for one in KINDS if routes(rule.logsource, profile(one)))
    found: dict[str, str] = {}
    for item in rules.correlations:
        kinds[item.id] = frozenset[str]().union(*(kinds.get(below, frozenset()) for below in item.rules))
        if kind in kinds[item.id] and len(kinds[item.id]) > 1:
            found[item.id] = item.identity.title
    return found


def reaches(correlations: Sequence[CorrelationRule]) -> dict[str, float]:
    """Return correlation id -> how far before or after its events it looks, in seconds."""
    found: dict[str, float] = {}
    for item in correlations:
        found[item.id] = item.timespan_s + max((found.get(below, 0.0) for below in item.rules), default=0.0)
    return found
