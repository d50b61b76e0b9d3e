"""A rule as a query of a SIEM: read anew from its text, rewritten by pipelines, made by pySigma's backend."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule, SigmaExtendedCorrelationCondition
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule

from daemon.ecs_names import INDEX, PRODUCTS, NoDocumentFieldError, ecs_pipeline, kind_of
from daemon.rule_library import Library
from daemon.search_regex import SearchRegex
from detectors.event import LogSource
from detectors.sigma.array_block import is_block
from detectors.sigma.correlation_bounds import KEY
from detectors.sigma.document import Refusal, SigmaRuleError, UnsupportedConstructError
from detectors.sigma.pipeline.pipelines import Pipelines
from detectors.sigma.placeholders import Placeholders, fill
from detectors.sigma.reading import Place

Target: TypeAlias = Literal["esql", "lucene", "opensearch", "splunk"]
Names: TypeAlias = Literal["ecs", "raw"]
TARGETS: Final[Mapping[Target, tuple[str, str]]] = {
    "esql": ("sigma.backends.elasticsearch", "ESQLBackend"),
    "lucene": ("sigma.backends.elasticsearch", "LuceneBackend"),
    "opensearch": ("sigma.backends.opensearch", "OpensearchLuceneBackend"),
    "splunk": ("sigma.backends.splunk", "SplunkBackend"),
}
# The place stands in the refusal.
_OWN_NAMES: Final = "Convert it with --fields raw, and with a pipeline that knows your names"
_WHERE: Final = re.compile(r" \(while converting rule .*\)")
# What backends let escape for what they cannot express.
_ESCAPES: Final = (
    SigmaError,
    NotImplementedError,
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Query:
    """A rule's query."""

    rule_id: str
    title: str
    level: str
    query: str


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts rules of a library for one target. `extra` are pipelines of pySigma's plugins.

    `placeholders` are the values for `expand`, by name; what they leave is for the pipelines.
    """

    library: Library
    target: Target
    names: Names
    pipelines: Pipelines
    for_backend: ProcessingPipeline
    extra: Sequence[ProcessingPipeline] = ()
    placeholders: Placeholders = field(default_factory=dict[str, Sequence[str | int | float]])

    def convert(self, rule_id: str) -> Query | Refusal:
        """Return the query of a rule or a correlation, or why there is none. Raises nothing else."""
        read_again = self.library.fresh(rule_id)
        place, parsed = read_again.place, read_again.parsed
        try:
            self._try_pipelines(rule_id)
            collection, kind = self._collection(rule_id)
            queries = self._backend(kind).convert(collection)
        except SigmaRuleError as error:
            return place.refused(error)
        except NoDocumentFieldError as error:
            return place.refusal(str(error.args[0]), _OWN_NAMES)
        except _ESCAPES as error:
            told = str(error.args[0]) if error.args else type(error).__name__
            return self._refused(place, told)
        text = "\n".join(str(query) for query in cast("list[Any]", queries))
        if not text.strip():
            return self._refused(place, "the backend gives no query")
        level = str(parsed.level.name).lower() if parsed.level else "medium"
        return Query(rule_id, parsed.title, level, text)

    def _refused(self, place: Place, reason: str) -> Refusal:
        reason = _WHERE.sub("", reason).rstrip(".")
        way_out = "Try another target, or leave to Davylamp what this one cannot express"
        return place.refusal(f"cannot be expressed for {self.target}: {reason}", way_out)

    def _try_pipelines(self, rule_id: str) -> None:
        """Refuse, on a copy, what the pipelines would leave nothing of, and what no backend knows."""
        for name in (*self._parts(self.library.fresh(rule_id).parsed), rule_id):
            parsed = self.library.fresh(name).parsed
            if isinstance(parsed, SigmaRule):
                if _has_block(parsed):
                    raise UnsupportedConstructError("array blocks have no query", "Write it without them")
                self.pipelines.apply(parsed)
            elif isinstance(parsed, SigmaCorrelationRule):
                _check_whole(parsed)

    def _parts(self, parsed: object) -> list[str]:
        """Return the ids of the rules below a correlation, those of correlations below it first."""
        if not isinstance(parsed, SigmaCorrelationRule):
            return []
        if parsed.rules:
            references = [reference.reference for reference in parsed.rules]
        else:
            condition = parsed.condition
            extended = isinstance(condition, SigmaExtendedCorrelationCondition)
            references = condition.get_referenced_rules() if extended else []
        found: list[str] = []
        for reference in references:
            if reference not in self.library.named:
                raise UnsupportedConstructError(
                    f"the rule {reference!r} is not there", "Name it with --rules"
                )
            rule_id = self.library.named[reference]
            found += [*self._parts(self.library.fresh(rule_id).parsed), rule_id]
        return list(dict.fromkeys(found))

    def _collection(self, rule_id: str) -> tuple[SigmaCollection, str | None]:
        names = [*self._parts(self.library.fresh(rule_id).parsed), rule_id]
        rules = [self.library.plain(name) for name in names]
        kinds: list[str] = []
        for rule in rules:
            if isinstance(rule, SigmaRule):
                for known in self.library.plain_filters():
                    known.apply_on_rule(rule)
                fill(rule, self.placeholders)
                if self.names == "ecs":
                    source = rule.logsource
                    kinds.append(kind_of(LogSource(source.product, source.service, source.category)))
        if len(set(kinds)) > 1:
            raise UnsupportedConstructError("its rules are of several sources", "Convert with --fields raw")
        collection = SigmaCollection(cast("list[SigmaRule | SigmaCorrelationRule | SigmaFilter]", rules))
        collection.resolve_rule_references()
        return collection, kinds[0] if kinds else None

    def _backend(self, kind: str | None) -> Any:
        module, name = TARGETS[self.target]
        whole = _in_index(INDEX) if kind is not None else ProcessingPipeline()
        for pipeline in (self.for_backend, *self.extra):
            whole = whole + pipeline
        if kind is not None:
            whole = whole + ecs_pipeline(kind, self.target)
        if self.target in PRODUCTS:
            whole = whole + ProcessingPipeline([ProcessingItem(SearchRegex())])
        return getattr(importlib.import_module(module), name)(whole)


def _in_index(index: str) -> ProcessingPipeline:
    step = {"type": "set_state", "key": "index", "val": index}
    return ProcessingPipeline.from_dict({"transformations": [step]})


def _has_block(rule: SigmaRule) -> bool:
    waiting: list[SigmaDetection | SigmaDetectionItem] = list(rule.detection.detections.values())
    while waiting:
        part = waiting.pop()
        if isinstance(part, SigmaDetection):
            waiting += part.detection_items
        elif is_block(part):
            return True
    return False


def _check_whole(correlation: SigmaCorrelationRule) -> None:
    """Refuse a number with a fraction, of which pySigma would cut the fraction off."""
    kept: list[tuple[str, float]] = correlation.custom_attributes.get(KEY, [])
    for op, count in kept:
        if count != int(count):
            raise UnsupportedConstructError(
                f"pySigma takes whole numbers only, not {op}: {count:g}", "Write a whole number", "condition"
            )
