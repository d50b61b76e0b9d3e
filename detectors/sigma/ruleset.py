"""A set of rules: everything loads or is refused by name; nothing is dropped without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from detectors.sigma.chaining import linked
from detectors.sigma.compiled import (
    CompiledFile,
    CompiledFilter,
    CompiledRule,
    CorrelationText,
    Item,
    Other,
    Position,
)
from detectors.sigma.condition import And, Condition
from detectors.sigma.document import Refusal, RuleDocument, SigmaRuleError
from detectors.sigma.preparation import UNPREPARED, Preparation, Values
from detectors.sigma.rule import CorrelationRule, Rule

if TYPE_CHECKING:
    from detectors.sigma.pipeline.pipelines import Pipelines


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules and correlations that loaded, the refusals of those that did not, and YAML that is no rule."""

    rules: tuple[Rule, ...]
    correlations: tuple[CorrelationRule, ...]
    refusals: tuple[Refusal, ...]
    others: tuple[Other, ...] = ()

    @classmethod
    def load(
        cls,
        documents: Iterable[RuleDocument],
        placeholders: Values | None = None,
        pipelines: Pipelines | None = None,
    ) -> RuleSet:
        """Load every document; all refusals are collected. Raises nothing.

        `placeholders` is name -> values, for rules with `expand`; `pipelines` rewrite each rule first.
        """
        from detectors.sigma.compiling import compile_file  # pySigma: heavy, and not needed for kept rules

        preparation = Preparation(placeholders or {}, pipelines)
        return cls.of((compile_file(document, preparation) for document in documents), preparation)

    @classmethod
    def of(cls, files: Iterable[CompiledFile], preparation: Preparation = UNPREPARED) -> RuleSet:
        """Put files together that were compiled with `preparation`: ids, names, filters, correlations.

        Raises nothing.
        """
        return _Linking(preparation).run(files)

    @property
    def playbooks(self) -> Mapping[str, str]:
        """The playbook of each rule and correlation that names one, by id."""
        identities = [item.identity for item in (*self.rules, *self.correlations)]
        return {known.id: known.playbook for known in identities if known.playbook is not None}

    def correlation(self, correlation_id: str) -> CorrelationRule | None:
        """Return the correlation of that id, if it is loaded."""
        return next((item for item in self.correlations if item.id == correlation_id), None)


class _Linking:
    """One pass over compiled files; collects."""

    def __init__(self, preparation: Preparation) -> None:
        self._pipelines = preparation.pipelines
        self._refusals: list[Refusal] = []
        self._others: list[Other] = []
        self._taken: dict[str, Position] = {}
        self._names: dict[str, str] = {}
        self._rules: dict[str, Rule] = {}
        self._correlations: tuple[CorrelationRule, ...] = ()

    def run(self, files: Iterable[CompiledFile]) -> RuleSet:
        filters: list[CompiledFilter] = []
        texts: list[CorrelationText] = []
        for file in files:
            self._refusals.extend(file.refusals)
            self._others.extend(file.others)
            for item in file.items:
                if not self._is_new(item):
                    continue
                if isinstance(item, CompiledRule):
                    self._add(item)
                elif isinstance(item, CompiledFilter):
                    filters.append(item)
                else:
                    texts.append(item)
        for item in filters:
            self._filter(item)
        if texts:
            self._correlate(texts)
        loud = {rule for item in self._correlations if item.generate for rule in item.rules}
        quiet = {rule for item in self._correlations for rule in item.rules} - loud
        rules = tuple(
            replace(rule, quiet=True) if rule.id in quiet else rule for rule in self._rules.values()
        )
        return RuleSet(rules, self._correlations, tuple(self._refusals), tuple(self._others))

    def _is_new(self, item: Item) -> bool:
        for key, word in ((item.id, "id"), (item.name, "name")):
            first = None if key is None else self._taken.get(key)
            if first is not None:
                reason = f"the {word} {key} is taken by {first.path}:{first.line}"
                self._refusals.append(item.place.refusal(item.id, reason, "Give it its own", key))
                return False
        self._taken[item.id] = item.place
        if item.name:
            self._taken[item.name] = item.place
        return True

    def _add(self, item: CompiledRule) -> None:
        self._rules[item.id] = item.rule
        self._names[item.id] = item.id
        if item.name:
            self._names[item.name] = item.id

    def _filter(self, item: CompiledFilter) -> None:
        missing = [name for name in item.rules or () if name not in self._names]
        if missing:
            reason = f"the filter refers to {', '.join(map(repr, missing))}, which is no loaded rule"
            way_out = "Name rules that load; nothing was filtered"
            self._refusals.append(item.place.refusal(item.id, reason, way_out, missing[0]))
            return
        if self._pipelines and (reason := self._unclear(item, self._pipelines)):
            way_out = "Write what it excludes into the rules; nothing was filtered"
            self._refusals.append(item.place.refusal(item.id, reason, way_out))
            return
        for rule_id, rule in self._rules.items():
            if item.wants(rule):
                self._rules[rule_id] = replace(rule, condition=_both(rule.condition, item.condition))

    def _unclear(self, item: CompiledFilter, pipelines: Pipelines) -> str | None:
        """Say why pipelines, which saw the filter by itself, may have read it otherwise than its rules."""
        if pipelines.asks_content:
            return "a processing pipeline asks what stands in a rule, and a filter is no whole rule"
        names = set(item.rules or ())
        rules = [rule for rule in self._rules.values() if names & {rule.id, rule.identity.name}]
        if not names:
            rules = [rule for rule in self._rules.values() if item.wants(rule)]
        if pipelines.asks_log_source and any(rule.logsource != item.logsource for rule in rules):
            return "a processing pipeline asks for the log source, and the filter's is not that of its rules"
        return None

    def _correlate(self, texts: Iterable[CorrelationText]) -> None:
        # These bring pySigma, which is heavy and only needed here.
        from detectors.sigma.reading import ESCAPES, outline, reread, sigma_refusal
        from detectors.sigma.translate_correlation import arranged, correlation

        again = [reread(item) for item in texts]
        self._refusals.extend(one for one in again if isinstance(one, Refusal))
        items, refused = arranged([one for one in again if not isinstance(one, Refusal)])
        self._refusals.extend(place.refused(error) for place, error in refused)
        found: dict[str, CorrelationRule] = {}
        for place, parsed in items:
            try:
                if self._pipelines:
                    rules = {
                        name: outline(self._rules[rule_id])
                        for name, rule_id in self._names.items()
                        if rule_id in self._rules
                    }
                    self._pipelines.apply_to_correlation(parsed, rules)
                new = correlation(parsed, self._names, place.path, place.first_line, found)
            except SigmaRuleError as error:
                self._refusals.append(place.refused(error))
                continue
            except ESCAPES as error:
                self._refusals.append(sigma_refusal(place, error, "correlation:"))
                continue
            found[new.id] = new
            self._names[new.id] = new.id
            if new.identity.name:
                self._names[new.identity.name] = new.id
        self._correlations = linked([*found.values()])


def _both(first: Condition, second: Condition) -> Condition:
    parts = (node.parts if isinstance(node, And) else (node,) for node in (first, second))
    return And(tuple(part for group in parts for part in group))
