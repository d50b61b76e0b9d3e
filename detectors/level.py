"""Sigma levels, their order, and how outcome, class and trust move them (`docs/architecture.md`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from detectors.event import Outcome

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: Final[tuple[Level, ...]] = ("informational", "low", "medium", "high", "critical")
_RANKS: Final[Mapping[Level, int]] = MappingProxyType({level: number for number, level in enumerate(LEVELS)})
_HIGHEST: Final = len(LEVELS) - 1


def rank(level: Level) -> int:
    """Return 0 for informational up to 4 for critical."""
    return _RANKS[level]


def parse_level(text: str) -> Level:
    """Return `text` as a level. Raises ValueError that names the allowed ones."""
    if text not in LEVELS:
        raise ValueError(f"level {text!r} is not one of {', '.join(LEVELS)}")
    return text


def final_level(base: Level, outcome: Outcome, target_class: int = 0, trust: int = 0) -> Level:
    """Return clamp(base + class + actor trust + outcome); a denied attempt counts one less.

    `target_class` and `trust` are -1, 0 or +1. An informational rule stays informational: it
    states a fact, it is no alert.
    """
    if base == "informational":
        return base
    moved = _RANKS[base] + target_class + trust - (outcome == "failure")
    return LEVELS[1 if moved < 1 else min(moved, _HIGHEST)]
