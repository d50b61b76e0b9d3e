"""Slots and hours of append time: whole numbers since the epoch (UTC)."""

from __future__ import annotations

from typing import Final

SLOT_S: Final = 600
HOUR_S: Final = 3600
SLOTS: Final = HOUR_S // SLOT_S
DAY: Final = 24
WEEK: Final = 168


def slot_of(seconds: float) -> int:
    """Return the number of the ten minutes that `seconds` since the epoch lie in."""
    return int(seconds // SLOT_S)


def weekend(hour: int) -> bool:
    """Return whether an hour lies on a Saturday or Sunday (the epoch began on a Thursday)."""
    return (hour // DAY + 3) % 7 >= 5
