"""What of a rule a pipeline may not touch, and whether it took something whole out of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from sigma.rule import (  # pyright: ignore[reportMissingTypeStubs]
    SigmaDetection,
    SigmaDetectionItem,
    SigmaRule,
)

from detectors.sigma.array_block import is_block
from detectors.sigma.document import MalformedRuleError

WAY_OUT = "Mend the pipeline, or leave the rule out"
Blocks: TypeAlias = "list[tuple[SigmaDetection, list[SigmaDetectionItem | SigmaDetection]]]"


class Remainder:
    """One rule while a pipeline works on it: its array blocks set aside, its lists without a value known."""

    def __init__(self, rule: SigmaRule) -> None:
        self._rule = rule
        self._blocks = _aside(rule)
        self._empty = [item.value for item in self._items() if not item.value]

    def check(self) -> None:
        """Refuse a rule without a value or an item where there was one: pySigma would read null, or nothing.

        Raises MalformedRuleError.
        """
        for item in self._items():
            if not item.value and not any(item.value is known for known in self._empty):
                raise MalformedRuleError(f"no value is left of the field {item.field}", WAY_OUT, item.field)

    def put_back(self) -> None:
        """Put the array blocks back where they were."""
        for detection, items in self._blocks:
            detection.detection_items.extend(items)

    def _items(self) -> Iterator[SigmaDetectionItem]:
        waiting = list(self._rule.detection.detections.items())
        while waiting:
            name, part = waiting.pop()
            if not part.detection_items and not any(part is known for known, _ in self._blocks):
                raise MalformedRuleError(f"nothing is left of the selection {name}", WAY_OUT, name)
            for item in part.detection_items:
                if isinstance(item, SigmaDetection):
                    waiting.append((name, item))
                else:
                    yield item


def _aside(rule: SigmaRule) -> Blocks:
    """Take the array blocks out of every selection: no field name and no value of theirs is a pipeline's."""
    found: Blocks = []
    waiting = list(rule.detection.detections.values())
    while waiting:
        part = waiting.pop()
        waiting += [item for item in part.detection_items if isinstance(item, SigmaDetection)]
        blocks = [item for item in part.detection_items if _is_block(item)]
        if blocks:
            part.detection_items = [item for item in part.detection_items if not _is_block(item)]
            found.append((part, blocks))
    return found


def _is_block(item: SigmaDetectionItem | SigmaDetection) -> bool:
    return isinstance(item, SigmaDetectionItem) and is_block(item)
