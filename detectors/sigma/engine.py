"""The engine: one event in, findings of stateless rules and matches for correlations out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from detectors.event import Event, Outcome
from detectors.finding import Finding, finding_id
from detectors.level import final_level
from detectors.sigma.index import Candidate, Feed, Index
from detectors.sigma.match import MAX_ENTITIES, Match
from detectors.sigma.path import MISSING, Lookup
from detectors.sigma.rule import Rule
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.text import text_of
from detectors.sigma.values import address_of, numeric
from detectors.wording import MAX_SENTENCE, key_part, plain

# What hostile records can provoke in a test or a profile; each is counted under the rule's id.
_EVALUATION_FAULTS: Final = (
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class EvaluationError:
    """A rule could not be judged on an event. `reason` is the kind of fault, never a value."""

    rule_id: str
    event_id: str
    reason: str


class Inspection(NamedTuple):
    """What one event gave. `errors` are to be counted by rule."""

    findings: Sequence[Finding] = ()
    matches: Sequence[Match] = ()
    errors: Sequence[EvaluationError] = ()


_NOTHING: Final = Inspection()


class Engine:
    """Evaluates a rule set. One instance a worker; an index a source kind is made on first sight."""

    def __init__(self, ruleset: RuleSet) -> None:
        self.ruleset = ruleset
        self._indexes: dict[str, Index] = {}

    def inspect(self, event: Event) -> Inspection:
        """Return findings, matches and errors of one event. Never raises because of the event."""
        index = self._indexes.get(event.profile.kind)
        if index is None:
            index = Index(self.ruleset.rules, self.ruleset.correlations, event.profile)
            self._indexes[event.profile.kind] = index
        fields = event.fields
        found: _Collected | None = None
        try:
            candidates = index.candidates(fields)
        except _EVALUATION_FAULTS:
            # The index cannot read this record: every rule is tried, and faults count by rule.
            candidates = index.rules
        for candidate in candidates:
            try:
                if not candidate.holds(fields):
                    index.tried_in_vain(candidate, fields)
                    continue
                found = found or _Collected(event)
                found.take(candidate)
            except _EVALUATION_FAULTS as error:
                found = found or _Collected(event)
                found.fault(candidate.rule, error)
        return _NOTHING if found is None else found.inspection()


class _Collected:
    """The results of one event that matched something."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._findings: list[Finding] = []
        self._matches: list[Match] = []
        self._errors: list[EvaluationError] = []

    def take(self, candidate: Candidate) -> None:
        event = self._event
        outcome = event.profile.outcome(event)
        summary = plain(event.profile.summary(event), MAX_SENTENCE)
        if not candidate.rule.quiet:
            self._findings.append(_finding(candidate.rule, event, outcome, summary))
        for feed in candidate.feeds:
            self._matches.append(_match(candidate.rule, feed, event, outcome, summary))

    def fault(self, rule: Rule, error: Exception) -> None:
        try:
            event_id = self._event.event_id
        except _EVALUATION_FAULTS:
            event_id = str(self._event.locator)
        self._errors.append(EvaluationError(rule.id, event_id, type(error).__name__))

    def inspection(self) -> Inspection:
        return Inspection(self._findings, self._matches, self._errors)


def _finding(rule: Rule, event: Event, outcome: Outcome, summary: str) -> Finding:
    identity = rule.identity
    event_id = event.event_id
    return Finding(
        rule_id=identity.id,
        title=identity.title,
        level=final_level(identity.level, outcome),
        base_level=identity.level,
        status="final",
        source=event.source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=event.time,
        first_time=event.time,
        last_time=event.time,
        count=1,
        entities=tuple(event.profile.entities(event)[:MAX_ENTITIES]),
        attack=identity.attack,
        explain=plain(f"{identity.title}: {summary}", MAX_SENTENCE),
        finding_id=finding_id(identity.id, identity.version, [event_id]),
        labels={} if identity.playbook is None else {"playbook": identity.playbook},
    )


def _match(rule: Rule, feed: Feed, event: Event, outcome: Outcome, summary: str) -> Match:
    return Match(
        correlation=feed.correlation.id,
        rule=rule.id,
        group=tuple(_group_value(read, event) for read in feed.group),
        event_id=event.event_id,
        time=event.time,
        source=event.source,
        level=final_level(rule.identity.level, outcome),
        entities=tuple(event.profile.entities(event)[:MAX_ENTITIES]),
        summary=plain(summary),
        value=_measured(feed, event),
    )


def _measured(feed: Feed, event: Event) -> str | float | None:
    """Return what the correlation looks at: a text of all values for value_count, else a finite number."""
    if not feed.value:
        return None
    if feed.correlation.kind != "value_count":
        number = numeric(feed.value[0](event.fields))
        return None if number is None else float(number)
    texts = [_group_value(read, event) for read in feed.value]
    return None if None in texts else json.dumps(texts, ensure_ascii=True).casefold()


def _group_value(read: Lookup, event: Event) -> str | None:
    """Return a group value as text; a missing field and null are one group (None).

    An address with a port counts as the address: a client's port changes with every connection.
    """
    found = read(event.fields)
    if found is MISSING or found is None:
        return None
    if isinstance(found, list):
        return key_part(json.dumps(found, ensure_ascii=True, separators=(",", ":")))
    text = text_of(found)
    if text is None:
        return None
    address = address_of(text) if isinstance(found, str) else None
    return key_part(text if address is None else str(address))
