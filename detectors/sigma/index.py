"""Which rules an event of a source may satisfy: routed by log source, then by the values that it holds.

First by what is remembered of events of its sort (`Dispatch`); an event that cannot be sorted goes by the
exact values that each rule must see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detectors.event import Fields, SourceProfile
from detectors.sigma.dispatch import Dispatch, Key
from detectors.sigma.path import MISSING, Derived, Found, Lookup, lookup
from detectors.sigma.predicate import Predicate, compile_predicate
from detectors.sigma.rule import CorrelationRule, Rule, same_rule
from detectors.sigma.rule import routed as of_source
from detectors.sigma.text import texts
from detectors.sigma.witness import How, witness


@dataclass(frozen=True, slots=True)
class Feed:
    """A correlation that a rule feeds, with the functions that read group and values of an event.

    `group` reads first the group, then what the correlation carries on beside it.
    """

    correlation: CorrelationRule
    group: tuple[Lookup, ...]
    value: tuple[Lookup, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rule ready to be tried on events of one source."""

    rule: Rule
    holds: Predicate
    feeds: tuple[Feed, ...]


class Table(NamedTuple):
    """Rules by the text of one field: the whole text, or its first `width` characters.

    `name` is the field when it is one at the top, which is read without a call.
    """

    name: str | None
    read: Lookup
    width: int | None
    rules: Mapping[str, tuple[Candidate, ...]]


class Index:
    """Rules of one source, found by the values that an event holds. `dispatch` answers the usual event."""

    def __init__(
        self, rules: Sequence[Rule], correlations: Sequence[CorrelationRule], profile: SourceProfile
    ) -> None:
        """Compile the rules whose log source means `profile`, with the profile's field aliases."""
        always: list[Candidate] = []
        routed: list[Candidate] = []
        wanted: dict[tuple[str, How], list[tuple[str, Candidate]]] = {}
        aliases = profile.aliases
        for rule in of_source(rules, profile):
            feeds = tuple(_feed(item, rule, aliases) for item in correlations if rule.id in item.rules)
            candidate = Candidate(rule, compile_predicate(rule.condition, aliases), feeds)
            routed.append(candidate)
            found = witness(rule.condition)
            if found is None:
                always.append(candidate)
                continue
            for (path, how), values in found.items():
                known = wanted.setdefault((aliases.get(path, path), how), [])
                known.extend((value, candidate) for value in values)
        self.profile = profile
        self.rules = tuple(routed)
        self._always = tuple(always)
        self.dispatch = Dispatch([(item, item.rule.condition) for item in routed], aliases)
        self._tables = [_table(path, how, pairs) for (path, how), pairs in wanted.items()]

    def serves(self, rules: Sequence[Rule], correlations: Sequence[CorrelationRule]) -> bool:
        """Return whether an index of these rules would be this one: most sources keep theirs in a reload."""
        new = of_source(rules, self.profile)
        if len(new) != len(self.rules) or not all(
            same_rule(mine.rule, its) for mine, its in zip(self.rules, new, strict=True)
        ):
            return False
        return all(
            [feed.correlation for feed in mine.feeds]
            == [item for item in correlations if mine.rule.id in item.rules]
            for mine in self.rules
        )

    def candidates(self, fields: Fields, key: Key | None = None) -> Sequence[Candidate]:
        """Return the rules to try on a record, each once; `key`: what `dispatch.key` said of it."""
        found = self.dispatch.candidates(fields, key)
        return self.by_witness(fields) if found is None else found

    def tried_in_vain(self, candidate: Candidate, fields: Fields) -> None:
        """Note that a candidate did not match, so that later events are sorted better."""
        self.dispatch.tried_in_vain(candidate, fields)

    def by_witness(self, fields: Fields) -> Sequence[Candidate]:
        """Return the rules to try on a record by the exact values that they must see."""
        out: tuple[Candidate, ...] = ()
        for name, read, width, rules in self._tables:
            found = fields.get(name) if name is not None else read(fields)
            if isinstance(found, str):
                hits = rules.get(found.casefold()[:width])
            elif found is MISSING or found is None:
                continue
            else:
                hits = _several(found, width, rules)
            if hits:
                out = tuple(dict.fromkeys(out + hits)) if out else hits
        return self._always + out if out else self._always


def _several(
    found: Found, width: int | None, rules: Mapping[str, tuple[Candidate, ...]]
) -> tuple[Candidate, ...]:
    out: tuple[Candidate, ...] = ()
    for value in found if isinstance(found, list) else (found,):
        for text in (value,) if isinstance(value, str) else texts(value):
            hits = rules.get(text.casefold()[:width])
            if hits:
                out = tuple(dict.fromkeys(out + hits))
    return out


def _table(path: str, how: How, pairs: Sequence[tuple[str, Candidate]]) -> Table:
    width = None if how == "equals" else min(len(value) for value, _ in pairs)
    rules: dict[str, tuple[Candidate, ...]] = {}
    for value, candidate in pairs:
        known = rules.get(value[:width], ())
        if candidate not in known:
            rules[value[:width]] = (*known, candidate)
    return Table(None if "." in path or isinstance(path, Derived) else path, lookup(path), width, rules)


def _feed(correlation: CorrelationRule, rule: Rule, aliases: Mapping[str, str]) -> Feed:
    group = tuple(lookup(aliases.get(name, name)) for name in correlation.fields[rule.id])
    values = (correlation.names.get((name, rule.id), name) for name in correlation.value)
    return Feed(correlation, group, tuple(lookup(aliases.get(name, name)) for name in values))
