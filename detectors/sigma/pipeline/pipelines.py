"""The operator's pipelines, in order, applied to every rule before it is translated."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from sigma.correlations import (
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.processing.conditions.base import (  # pyright: ignore[reportMissingTypeStubs]
    RuleDetectionItemCondition,
)
from sigma.processing.conditions.rule import (  # pyright: ignore[reportMissingTypeStubs]
    LogsourceCondition,
    RuleAttributeCondition,
    RuleTagCondition,
)
from sigma.processing.pipeline import (  # pyright: ignore[reportMissingTypeStubs]
    ProcessingPipeline,
)
from sigma.processing.tracking import FieldMappingTracking  # pyright: ignore[reportMissingTypeStubs]
from sigma.rule import (  # pyright: ignore[reportMissingTypeStubs]
    SigmaRule,
)

from config.errors import ConfigurationError, Problem
from detectors.sigma.document import MalformedRuleError, UnsupportedConstructError
from detectors.sigma.pipeline.building import share
from detectors.sigma.pipeline.document import PipelineDocument
from detectors.sigma.pipeline.loading import ESCAPES, Loaded, Step, loaded, names_added
from detectors.sigma.pipeline.remainder import WAY_OUT, Remainder
from detectors.sigma.pipeline.source import Fetch, none_allowed

Parsed: TypeAlias = SigmaRule | SigmaCorrelationRule


class Pipelines:
    """Pipelines that loaded; empty ones change nothing."""

    def __init__(
        self, steps: Iterable[Step] = (), variables: Mapping[str, Any] | None = None, print_: str = ""
    ) -> None:
        self._steps = tuple(steps)
        self._print = print_
        self._added = frozenset(names_added(step.item for step in self._steps))
        self._whole = ProcessingPipeline([step.item for step in self._steps], vars=dict(variables or {}))
        for step in self._steps:
            share(step.item, self._whole.vars)

    @classmethod
    def load(cls, documents: Iterable[PipelineDocument], fetch: Fetch = none_allowed) -> Pipelines:
        """Load pipeline files; lower priority first, else in the order given; variables are shared.

        `fetch` gets placeholder values from outside; by default every such source is refused. Raises
        ConfigurationError with every problem: file, line, key, what is allowed.
        """
        problems: list[Problem] = []
        found: list[Loaded] = []
        for place, document in enumerate(documents):
            try:
                found.append(loaded(document, place, fetch, problems))
            except ConfigurationError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigurationError(problems)
        found.sort(key=lambda one: one.priority)
        variables = {name: value for one in found for name, value in one.variables.items()}
        content = json.dumps([one.content for one in found], ensure_ascii=True)
        digest = hashlib.sha256(content.encode()).hexdigest() if found else ""
        return cls([step for one in found for step in one.steps], variables, digest)

    def __bool__(self) -> bool:
        """Whether there is anything to apply."""
        return bool(self._steps)

    def fingerprint(self) -> str:
        """Return a digest of all that decides what the pipelines do; empty text when there are none."""
        return self._print

    @property
    def asks_log_source(self) -> bool:
        """Whether a step depends on a rule's log source."""
        return any(isinstance(one, LogsourceCondition) for one in self._asked())

    @property
    def asks_content(self) -> bool:
        """Whether a step depends on what else stands in a rule: its fields, values, tags, attributes."""
        content = (RuleDetectionItemCondition, RuleAttributeCondition, RuleTagCondition)
        return any(isinstance(one, content) for one in self._asked())

    def _asked(self) -> Iterator[object]:
        waiting = [step.item for step in self._steps]
        while waiting:
            item = waiting.pop()
            nested = getattr(item.transformation, "_nested_pipeline", None)
            waiting += [] if nested is None else nested.items
            conditions = item.rule_conditions
            yield from conditions.values() if isinstance(conditions, dict) else conditions

    def for_backend(self) -> ProcessingPipeline:
        """Return pySigma's own pipeline, for a backend, which takes these steps over."""
        return self._whole

    def apply(self, rule: SigmaRule) -> None:
        """Rewrite `rule` in place. Raises SigmaRuleError that names the transformation and the reason."""
        if not self._steps:
            return
        if taken := self._added & set(rule.detection.detections):
            raise UnsupportedConstructError(
                f"a selection has the name of a condition that the pipeline adds: {min(taken)}",
                "Give the selection another name",
                min(taken),
            )
        rest = Remainder(rule)
        for step in self._running(rule):
            try:
                rest.check()
            except MalformedRuleError as error:
                told = f"{error.reason} (pipeline, {step.place})"
                raise MalformedRuleError(told, WAY_OUT, error.token) from error
        rest.put_back()

    def apply_to_correlation(self, rule: SigmaCorrelationRule, rules: Mapping[str, SigmaRule]) -> None:
        """Rewrite the fields of a correlation in place; `rules` by id and name, as far as they are loaded.

        Raises SigmaRuleError.
        """
        if not self._steps:
            return
        condition = rule.condition
        named = (
            [SigmaRuleReference(name) for name in condition.get_referenced_rules()]
            if isinstance(condition, SigmaExtendedCorrelationCondition)
            else []
        )
        rule.referenced_rules = list(rule.rules or named)
        for reference in rule.referenced_rules:
            if reference.reference in rules:
                reference.rule = rules[reference.reference]
        for _ in self._running(rule):
            pass

    def _running(self, rule: Parsed) -> Iterator[Step]:
        """Apply step after step, as pySigma's own loop does, and yield each that was applied."""
        whole = self._whole
        whole.applied = []
        whole.applied_ids = set()
        whole.field_name_applied_ids = defaultdict(set)
        whole.field_mappings = FieldMappingTracking()
        whole.state = {}
        for step in self._steps:
            try:
                applied = step.item.apply(rule)
            except RecursionError as error:
                raise UnsupportedConstructError(
                    "the rule nests too deep for a pipeline", "Flatten it"
                ) from error
            except ESCAPES as error:
                told = str(error.args[0]) if error.args else type(error).__name__
                raise UnsupportedConstructError(f"{told} (pipeline, {step.place})", WAY_OUT) from error
            whole.applied.append(applied)
            if applied:
                if step.item.identifier:
                    whole.applied_ids.add(step.item.identifier)
                yield step
