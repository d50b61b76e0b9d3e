"""Vetted items as pySigma's own, with what is ours put in: linear expressions, values from outside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sigma.processing.conditions.fields import (  # pyright: ignore[reportMissingTypeStubs]
    IncludeFieldCondition,
)
from sigma.processing.conditions.values import (  # pyright: ignore[reportMissingTypeStubs]
    MatchStringCondition,
)
from sigma.processing.pipeline import ProcessingItem  # pyright: ignore[reportMissingTypeStubs]
from sigma.processing.transformations import (  # pyright: ignore[reportMissingTypeStubs]
    ExtractFieldsTransformation,
    ReplaceStringTransformation,
)
from sigma.processing.transformations.placeholder import (  # pyright: ignore[reportMissingTypeStubs]
    BasePlaceholderTransformation,
)
from sigma.types import Placeholder, SigmaString

from detectors.sigma.pipeline.catalogue import SOURCES
from detectors.sigma.pipeline.expression import linear
from detectors.sigma.pipeline.source import Fetch, SourceError, source_of, values_of
from detectors.sigma.spelling import respelt

_CASES: Final[Mapping[str, Callable[[SigmaString], SigmaString]]] = {
    "lower": SigmaString.lower,
    "upper": SigmaString.upper,
    "snake_case": SigmaString.snake_case,
}


@dataclass
class GivenValues(BasePlaceholderTransformation):
    """Replaces placeholders by values that came from outside when the pipeline was loaded."""

    values: list[str] = field(default_factory=list[str])

    def placeholder_replacements(self, p: Placeholder) -> Iterable[SigmaString]:
        """Return every value; wildcards in them count."""
        return [SigmaString(value) for value in self.values]


def built(item: Mapping[str, Any], name: str, fetch: Fetch) -> tuple[ProcessingItem, list[str]]:
    """Return pySigma's processing item, and the values that came from outside, in the order met.

    `name` names what the item adds to a rule. Raises SourceError, sigma.exceptions.SigmaError and what
    else pySigma raises for parameters that do not go together.
    """
    raw = dict(item)
    values: list[str] = []
    given: GivenValues | None = None
    if raw["type"] in SOURCES:
        given = _given(raw, fetch)
        values += given.values
        raw = {key: value for key, value in raw.items() if key not in SOURCES[raw["type"]]}
        raw["type"] = "wildcard_placeholders"
    elif raw["type"] == "nest":
        inner = [built(one, f"{name}_{place}", fetch) for place, one in enumerate(raw["items"])]
        raw["items"] = [one for one, _ in inner]
        values += [value for _, more in inner for value in more]
    elif raw["type"] == "add_condition":
        raw.setdefault("name", name)
        raw["conditions"] = respelt({"detection": {"added": raw["conditions"]}})["detection"]["added"]
    elif raw["type"] == "field_name_transform":
        raw["mapping"] = raw.get("mapping", {})
        raw["transform_func"] = _named(raw["transform_func"])
    with warnings.catch_warnings():
        # pySigma calls pyparsing by a name that this will drop one day.
        warnings.simplefilter("ignore", DeprecationWarning)
        made = ProcessingItem.from_dict(raw)
    if given is not None:
        given.set_processing_item(made)
        made.transformation = given
    _linear(made)
    return made, values


def share(item: ProcessingItem, variables: Mapping[str, Any]) -> None:
    """Give a nested pipeline the variables of the whole, which pySigma leaves out."""
    nested = getattr(item.transformation, "_nested_pipeline", None)
    if nested is not None:
        nested.vars = dict(variables)
        for inner in nested.items:
            share(inner, variables)


def _given(raw: Mapping[str, Any], fetch: Fetch) -> GivenValues:
    text = fetch(source_of(raw))
    return GivenValues(raw.get("include"), raw.get("exclude"), values_of(raw, text))


def _named(method: str) -> Callable[[str | None], str]:
    change = _CASES[method]
    return lambda name: str(change(SigmaString(name or "")))


def _linear(item: ProcessingItem) -> None:
    """Put expressions of RE2 where pySigma compiled Python's, which can run for ever."""
    transformation = item.transformation
    if isinstance(transformation, ReplaceStringTransformation | ExtractFieldsTransformation):
        transformation.re = linear(transformation.regex)
    for conditions in (item.detection_item_conditions, item.field_name_conditions):
        listed = conditions.values() if isinstance(conditions, dict) else conditions
        for condition in listed:
            if isinstance(condition, MatchStringCondition):
                condition.re = linear(condition.pattern)
            elif isinstance(condition, IncludeFieldCondition) and condition.mode == "re":
                condition.patterns = [linear(pattern) for pattern in condition.fields]


__all__ = ["GivenValues", "SourceError", "built", "share"]
