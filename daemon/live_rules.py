"""Rules that change while events are judged: a new set is made apart, checked, and put in place at once.

An event meets the old set or the new one, never a half: `engine` is one reference, and the index of every
source is made before the new engine takes its place. Loading runs in a thread, compiling of many files in
processes of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from daemon.rule_loader import LoadReport
from detectors.event import SourceProfile
from detectors.sigma.engine import Engine
from detectors.sigma.rule import CorrelationRule, Rule
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.stored import to_data
from detectors.sigma.stored_value import UnstorableError


class Loading(Protocol):
    """What loads rules again and again: a `RuleLoader`, or one that asks more of a set."""

    def load(self, touched: Collection[str] | None = None) -> tuple[RuleSet, LoadReport]:
        """Load all that is there now. Raises ConfigurationError."""
        ...


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload changed: ids of rules and correlations, sorted; `report` says how it was loaded."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    report: LoadReport


class LiveRules:
    """The rules in force. `engine` is to be asked for anew with each batch of events, not kept."""

    def __init__(self, loader: Loading, profiles: Iterable[SourceProfile]) -> None:
        """Load once, here. Raises ConfigurationError."""
        self._loader = loader
        self._profiles = tuple(profiles)
        self._turn = asyncio.Lock()
        self.engine, self.report = self._made(None)

    async def reload(self, touched: Collection[str] | None = None) -> Reload:
        """Load again and put the new set in place; reloads wait for each other.

        `touched`: the files that changed, when a watch on the folders knows them. Raises ConfigurationError
        when nothing can be loaded: the old set stays in force.
        """
        async with self._turn:
            engine, report = await asyncio.to_thread(self._made, self.engine, touched)
            before, self.engine, self.report = self.engine.ruleset, engine, report
        return _difference(before, engine.ruleset, report)

    def _made(
        self, before: Engine | None, touched: Collection[str] | None = None
    ) -> tuple[Engine, LoadReport]:
        ruleset, report = self._loader.load(touched)
        engine = Engine(ruleset, before)
        for profile in self._profiles:
            engine.dispatch(profile)
        return engine, report


def _difference(before: RuleSet, after: RuleSet, report: LoadReport) -> Reload:
    old, new = _by_id(before), _by_id(after)
    return Reload(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(key for key in new.keys() & old.keys() if _differ(old[key], new[key]))),
        removed=tuple(sorted(old.keys() - new.keys())),
        report=report,
    )


def _differ(old: Rule | CorrelationRule, new: Rule | CorrelationRule) -> bool:
    if old is new:
        return False
    if not (isinstance(old, Rule) and isinstance(new, Rule)):
        return old != new
    same = (old.identity, old.logsource, old.quiet) == (new.identity, new.logsource, new.quiet)
    return not same or (old.condition is not new.condition and _text(old) != _text(new))


def _text(rule: Rule) -> object:
    """Return a condition to compare: pySigma's values raise when they meet another kind."""
    try:
        return to_data(rule.condition)
    except UnstorableError:
        return object()


def _by_id(ruleset: RuleSet) -> dict[str, Rule | CorrelationRule]:
    return {item.id: item for item in (*ruleset.rules, *ruleset.correlations)}
