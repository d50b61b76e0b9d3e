"""A set of rules: everything loads or is refused by name; nothing is dropped without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule  # pyright: ignore[reportMissingTypeStubs]

from detectors.sigma import translate
from detectors.sigma.document import Refusal, RuleDocument, SigmaRuleError
from detectors.sigma.placeholders import Placeholders, fill
from detectors.sigma.reading import Place, Read, read
from detectors.sigma.rule import CorrelationRule, Rule
from detectors.sigma.translate_correlation import correlation


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules and correlations that loaded, and the refusals of those that did not."""

    rules: tuple[Rule, ...]
    correlations: tuple[CorrelationRule, ...]
    refusals: tuple[Refusal, ...]

    @classmethod
    def load(cls, documents: Iterable[RuleDocument], placeholders: Placeholders | None = None) -> RuleSet:
        """Load every document; all refusals are collected. Raises nothing.

        `placeholders` is name -> values, for rules with `expand`.
        """
        return _Loading(placeholders or {}).run(documents)

    @property
    def playbooks(self) -> Mapping[str, str]:
        """The playbook of each rule and correlation that names one, by id."""
        identities = [item.identity for item in (*self.rules, *self.correlations)]
        return {known.id: known.playbook for known in identities if known.playbook is not None}

    def correlation(self, correlation_id: str) -> CorrelationRule | None:
        """Return the correlation of that id, if it is loaded."""
        return next((item for item in self.correlations if item.id == correlation_id), None)


class _Loading:
    """One pass over documents; collects."""

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self._refusals: list[Refusal] = []
        self._ids: dict[str, Place] = {}
        self._names: dict[str, str] = {}
        self._rules: dict[str, Rule] = {}
        self._correlations: list[CorrelationRule] = []

    def run(self, documents: Iterable[RuleDocument]) -> RuleSet:
        plain: list[tuple[Place, SigmaRule]] = []
        correlations: list[tuple[Place, SigmaCorrelationRule]] = []
        filters: list[tuple[Place, SigmaFilter]] = []
        for item in (item for document in documents for item in read(document)):
            if isinstance(item, Refusal):
                self._refusals.append(item)
            elif self._is_new(item):
                if isinstance(item.parsed, SigmaRule):
                    plain.append((item.place, item.parsed))
                elif isinstance(item.parsed, SigmaCorrelationRule):
                    correlations.append((item.place, item.parsed))
                else:
                    filters.append((item.place, item.parsed))
        for place, parsed in self._filtered(plain, filters):
            self._rule(place, parsed)
        for place, parsed in correlations:
            self._correlation(place, parsed)
        loud = {rule for item in self._correlations if item.generate for rule in item.rules}
        used = {rule for item in self._correlations for rule in item.rules}
        rules = tuple(replace(rule, quiet=rule.id in used - loud) for rule in self._rules.values())
        return RuleSet(rules, tuple(self._correlations), tuple(self._refusals))

    def _is_new(self, item: Read) -> bool:
        if item.parsed.id is None:
            self._refusals.append(item.place.refusal("the rule has no id", "Add `id:` with a new UUID"))
            return False
        for key, word in ((str(item.parsed.id), "id"), (item.parsed.name, "name")):
            first = None if key is None else self._ids.get(key)
            if first is not None:
                where = f"{first.path}:{first.first_line}"
                self._refusals.append(
                    item.place.refusal(f"the {word} {key} is taken by {where}", "Give it its own", key)
                )
                return False
        self._ids[str(item.parsed.id)] = item.place
        if item.parsed.name:
            self._ids[item.parsed.name] = item.place
        return True

    def _filtered(
        self, rules: list[tuple[Place, SigmaRule]], filters: list[tuple[Place, SigmaFilter]]
    ) -> list[tuple[Place, SigmaRule]]:
        known = {str(rule.id) for _, rule in rules} | {rule.name for _, rule in rules if rule.name}
        for place, parsed in filters:
            wanted = parsed.filter.rules
            names = [] if isinstance(wanted, str) else [str(item.reference) for item in wanted]
            if missing := [name for name in names if name not in known]:
                self._refusals.append(
                    place.refusal(
                        f"the filter refers to {', '.join(map(repr, missing))}, which is no loaded rule",
                        "Name rules that load; nothing was filtered",
                        missing[0],
                    )
                )
                continue
            rules = [(where, cast(SigmaRule, parsed.apply_on_rule(rule))) for where, rule in rules]
        return rules

    def _rule(self, place: Place, parsed: SigmaRule) -> None:
        try:
            fill(parsed, self._placeholders)
            rule = translate.rule(parsed, place.path, place.first_line)
        except SigmaRuleError as error:
            self._refusals.append(place.refused(error))
        except SigmaError as error:
            reason = str(error.args[0]) if error.args else type(error).__name__
            self._refusals.append(place.refusal(reason, "See the Sigma specification 2.1", "condition:"))
        else:
            self._rules[rule.id] = rule
            self._names[rule.id] = rule.id
            if rule.identity.name:
                self._names[rule.identity.name] = rule.id

    def _correlation(self, place: Place, parsed: SigmaCorrelationRule) -> None:
        try:
            self._correlations.append(correlation(parsed, self._names, place.path, place.first_line))
        except SigmaRuleError as error:
            self._refusals.append(place.refused(error))
