"""Placeholders of rules (`expand`: ``%admins%``) filled in with the operator's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sigma.modifiers import SigmaExpandModifier  # pyright: ignore[reportMissingTypeStubs]
from sigma.processing.pipeline import (  # pyright: ignore[reportMissingTypeStubs]
    ProcessingItem,
    ProcessingPipeline,
)
from sigma.processing.transformations import (  # pyright: ignore[reportMissingTypeStubs]
    ValueListPlaceholderTransformation,
)
from sigma.rule import (  # pyright: ignore[reportMissingTypeStubs]
    SigmaDetection,
    SigmaDetectionItem,
    SigmaRule,
)

Placeholders: TypeAlias = "Mapping[str, Sequence[str | int | float]]"


def fill(rule: SigmaRule, values: Placeholders) -> None:
    """Put the values of each known placeholder into `rule`, in place: any of them matches.

    Wildcards in a value count. A placeholder without values is left, and refuses the rule when it is
    translated. Raises sigma.exceptions.SigmaError.
    """
    if not values or not any(map(_expands, rule.detection.detections.values())):
        return
    listed = {name: list(given) for name, given in values.items()}
    item = ProcessingItem(ValueListPlaceholderTransformation(include=sorted(listed)))
    ProcessingPipeline(items=[item], vars=listed).apply(rule)


def _expands(part: SigmaDetection | SigmaDetectionItem) -> bool:
    """Return whether a test somewhere in `part` says `expand`: most rules have none, and looking is cheap."""
    if isinstance(part, SigmaDetectionItem):
        return SigmaExpandModifier in part.modifiers
    return any(map(_expands, part.detection_items))
