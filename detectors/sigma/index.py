"""Which rules an event of a source may satisfy: routed by log source, dispatched by one exact field value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectors.event import Fields, SourceProfile
from detectors.sigma.path import MISSING, Lookup, lookup
from detectors.sigma.predicate import Predicate, compile_predicate
from detectors.sigma.rule import CorrelationRule, Rule, routes
from detectors.sigma.text import texts
from detectors.sigma.witness import witness


@dataclass(frozen=True, slots=True)
class Feed:
    """A correlation that a rule feeds, with the functions that read the group of an event."""

    correlation: CorrelationRule
    group: tuple[Lookup, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A rule ready to be tried on events of one source."""

    rule: Rule
    holds: Predicate
    feeds: tuple[Feed, ...]


class Index:
    """Rules of one source, found by the values that an event holds."""

    def __init__(
        self, rules: Sequence[Rule], correlations: Sequence[CorrelationRule], profile: SourceProfile
    ) -> None:
        """Compile the rules whose log source means `profile`, with the profile's field aliases."""
        self._always: list[Candidate] = []
        tables: dict[str, dict[str, list[Candidate]]] = {}
        aliases = profile.aliases
        for rule in rules:
            if not routes(rule.logsource, profile):
                continue
            feeds = tuple(_feed(item, rule, aliases) for item in correlations if rule.id in item.rules)
            candidate = Candidate(rule, compile_predicate(rule.condition, aliases), feeds)
            found = witness(rule.condition)
            if found is None:
                self._always.append(candidate)
                continue
            for path, values in found.items():
                table = tables.setdefault(aliases.get(path, path), {})
                for value in values:
                    table.setdefault(value, []).append(candidate)
        self._tables = [(lookup(path), table) for path, table in tables.items()]

    def candidates(self, fields: Fields) -> Sequence[Candidate]:
        """Return the rules to try on a record, each once."""
        out: list[Candidate] | None = None
        for read, table in self._tables:
            found = read(fields)
            if isinstance(found, str):
                hits = table.get(found.casefold())
            elif found is MISSING or found is None:
                continue
            else:
                hits = [hit for text in texts(found) for hit in table.get(text.casefold(), ())]
            if hits:
                out = list(hits) if out is None else out + hits
        if out is None:
            return self._always
        return list(dict.fromkeys(self._always + out))


def _feed(correlation: CorrelationRule, rule: Rule, aliases: Mapping[str, str]) -> Feed:
    names = correlation.fields[rule.id]
    return Feed(correlation, tuple(lookup(aliases.get(name, name)) for name in names))
