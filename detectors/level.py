"""Sigma levels, their order, and how outcome, class and trust move them (`docs/architecture.md`)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from detectors.event import Outcome

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: Final[tuple[Level, ...]] = ("informational", "low", "medium", "high", "critical")


def rank(level: Level) -> int:
    """Return 0 for informational up to 4 for critical."""
    return LEVELS.index(level)


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
    moved = rank(base) + target_class + trust + (-1 if outcome == "failure" else 0)
    return LEVELS[max(1, min(moved, len(LEVELS) - 1))]
