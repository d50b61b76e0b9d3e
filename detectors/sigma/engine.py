"""The engine: one event in, findings of stateless rules and matches for correlations out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from detectors.event import Entity, Event, Outcome, SourceProfile
from detectors.finding import Finding, finding_id
from detectors.level import final_level
from detectors.sigma.chaining import counted
from detectors.sigma.dispatch import Dispatch, Key
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
    """Evaluates a rule set. One instance a worker; an index a source kind is made on first sight.

    An engine that follows another one (`before`) takes over the indexes of sources whose rules are the same.
    """

    def __init__(self, ruleset: RuleSet, before: Engine | None = None) -> None:
        self.ruleset = ruleset
        self._indexes: dict[str, Index] = {}
        self._dispatches: dict[str, Dispatch[Candidate]] = {}
        for kind, index in before._indexes.items() if before is not None else ():
            if index.serves(ruleset.rules, ruleset.correlations):
                self._indexes[kind] = index
                self._dispatches[kind] = index.dispatch

    def inspect(self, event: Event) -> Inspection:
        """Return findings, matches and errors of one event. Never raises because of the event."""
        fields = event.fields
        profile = event.profile
        key: Key | None = None
        try:
            dispatch = self._dispatches[profile.kind]
            dispatch.asked += 1
            key = dispatch.key(fields)
            candidates = dispatch.sorted.get(key)
        except _EVALUATION_FAULTS:
            candidates = None
        if candidates is None:
            candidates = self._candidates(event, key)
        if not candidates:
            return _NOTHING
        index = self._indexes[profile.kind]
        found: _Collected | None = None
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

    def dispatch(self, profile: SourceProfile) -> Dispatch[Candidate]:
        """Return what sorts the events of a source, and remembers which sorts no rule can match."""
        return self._index(profile).dispatch

    def _index(self, profile: SourceProfile) -> Index:
        index = self._indexes.get(profile.kind)
        if index is None:
            index = Index(self.ruleset.rules, self.ruleset.correlations, profile)
            self._indexes[profile.kind] = index
            self._dispatches[profile.kind] = index.dispatch
        return index

    def _candidates(self, event: Event, key: Key | None) -> Sequence[Candidate]:
        """Return the candidates of an event that is of no remembered sort."""
        index = self._index(event.profile)
        try:
            return index.candidates(event.fields, key)
        except _EVALUATION_FAULTS:
            # The index cannot read this record: every rule is tried, and faults count by rule.
            return index.rules


class _Told(NamedTuple):
    """What the source says of an event: the same for each rule that matches it."""

    event_id: str
    outcome: Outcome
    summary: str
    entities: tuple[Entity, ...]


class _Collected:
    """The results of one event that matched something."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._told: _Told | None = None
        self._findings: list[Finding] = []
        self._matches: list[Match] = []
        self._errors: list[EvaluationError] = []

    def take(self, candidate: Candidate) -> None:
        event = self._event
        told = self._told
        if told is None:
            profile = event.profile
            summary = plain(profile.summary(event), MAX_SENTENCE)
            told = self._told = _Told(
                event.event_id, profile.outcome(event), summary, tuple(profile.entities(event)[:MAX_ENTITIES])
            )
        if not candidate.rule.quiet:
            self._findings.append(_finding(candidate.rule, event, told))
        for feed in candidate.feeds:
            self._matches.append(_match(candidate.rule, feed, event, told))

    def fault(self, rule: Rule, error: Exception) -> None:
        try:
            event_id = self._event.event_id
        except _EVALUATION_FAULTS:
            event_id = str(self._event.locator)
        self._errors.append(EvaluationError(rule.id, event_id, type(error).__name__))

    def inspection(self) -> Inspection:
        return Inspection(self._findings, self._matches, self._errors)


def _finding(rule: Rule, event: Event, told: _Told) -> Finding:
    identity = rule.identity
    event_id, outcome, summary, entities = told
    time = event.time
    return Finding(
        rule_id=identity.id,
        title=identity.title,
        level=final_level(identity.level, outcome),
        base_level=identity.level,
        status="final",
        source=event.source,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=time,
        first_time=time,
        last_time=time,
        count=1,
        entities=entities,
        attack=identity.attack,
        explain=plain(f"{identity.title}: {summary}", MAX_SENTENCE),
        finding_id=finding_id(identity.id, identity.version, [event_id]),
        labels={} if identity.playbook is None else {"playbook": identity.playbook},
    )


def _match(rule: Rule, feed: Feed, event: Event, told: _Told) -> Match:
    values = tuple([_group_value(read, event) for read in feed.group])
    width = len(feed.correlation.group_by)
    return Match(
        correlation=feed.correlation.id,
        rule=rule.id,
        group=values[:width],
        event_id=told.event_id,
        time=event.time,
        source=event.source,
        level=final_level(rule.identity.level, told.outcome),
        entities=told.entities,
        summary=plain(told.summary),
        value=_measured(feed, event),
        carried=(values[width:],) if feed.correlation.carried else (),
    )


def _measured(feed: Feed, event: Event) -> str | float | None:
    """Return what the correlation looks at: a text of all values for value_count, else a finite number."""
    if not feed.value:
        return None
    if feed.correlation.kind != "value_count":
        number = numeric(feed.value[0](event.fields))
        return None if number is None else float(number)
    texts = [_group_value(read, event) for read in feed.value]
    return counted(texts)


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
