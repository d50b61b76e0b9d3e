"""Which rule and which event `davylamp rules explain` speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import click

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import read_events
from detectors.event import Event
from detectors.sigma.explanation import explain, nearest_miss
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet

LOOKED_AT: Final = 2_000
"""How many events are looked at for the nearest miss."""

# What a hostile event can provoke in a test; such an event is no choice.
_FAULTS: Final = (TypeError, ValueError, KeyError, IndexError, OverflowError, RecursionError)


def rule_of(loaded: RuleSet, wanted: str) -> Rule:
    """Return the rule of that id, name or file. Raises click.UsageError that says what else it is."""
    for same in (_is, _has_stem):
        for rule in loaded.rules:
            if same(rule.identity.path, (rule.id, rule.identity.name), wanted):
                return rule
    for item in loaded.correlations:
        if _is(item.identity.path, (item.id, item.identity.name), wanted) or _has_stem(
            item.identity.path, (), wanted
        ):
            raise click.UsageError(
                f"{wanted!r} is a correlation, and no single event decides it; explain one of its rules: "
                f"{', '.join(item.rules)}"
            )
    for refusal in loaded.refusals:
        if refusal.rule_id == wanted or _has_stem(refusal.path, (), wanted):
            raise click.UsageError(f"the rule is refused: {refusal}")
    raise click.UsageError(
        f"no rule is called {wanted!r} by id, name or file; davylamp rules list shows them"
    )


def event_of(file: Path, kind: str, event_id: str | None, rule: Rule) -> Event:
    """Return the event of that id; without one the first that the rule matches, else the nearest one.

    Raises click.UsageError when there is none.
    """
    events = _events(file, kind, event_id)
    first = next(events, None)
    if first is None:
        named = f" with the id {event_id}" if event_id else _other_kind(file, kind)
        raise click.UsageError(f"{file} holds no event of {kind}{named}")
    if event_id is not None or not routes(rule.logsource, first.profile):
        return first
    return _nearest(rule, first, events)


def _nearest(rule: Rule, first: Event, others: Iterator[Event]) -> Event:
    aliases = first.profile.aliases
    holds = compile_predicate(rule.condition, aliases)
    best, fewest = first, None
    for number, event in enumerate(chain((first,), others)):
        try:
            if holds(event.fields):
                return event
            if number < LOOKED_AT:
                missing = len(nearest_miss(explain(rule.condition, event.fields, aliases)))
                if fewest is None or missing < fewest:
                    best, fewest = event, missing
        except _FAULTS:
            continue
    return best


def _events(file: Path, kind: str, event_id: str | None) -> Iterator[Event]:
    for item in read_events(file, profile(kind)):
        if isinstance(item, Event) and (event_id is None or item.event_id.startswith(event_id)):
            yield item


def _other_kind(file: Path, kind: str) -> str:
    """Say of which source the file holds events, when it is another one."""
    for other in KINDS:
        if other != kind and next(_events(file, other, None), None) is not None:
            return f"; it holds events of {other}: give --source {other}"
    return ""


def _is(path: str, names: tuple[str | None, ...], wanted: str) -> bool:
    return wanted in names or path == wanted


def _has_stem(path: str, names: tuple[str | None, ...], wanted: str) -> bool:
    return Path(path).stem == Path(wanted).stem
