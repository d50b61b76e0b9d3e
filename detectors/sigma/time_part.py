"""The parts of a point in time that Sigma's time modifiers compare: always in UTC, weeks as ISO 8601 counts.

A field holds a time as RFC 3339 text (without a zone it is taken as UTC) or as seconds or milliseconds
since the epoch; anything else has no parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from sigma.types import TimestampPart

from detectors.event import Json

_FRACTION: Final = re.compile(r"(\.\d{6})\d+")
_MILLISECONDS_FROM: Final = 1e11
"""As seconds this is the year 5138; as milliseconds it is 1973."""
_PARTS: Final[Mapping[TimestampPart, Callable[[datetime], int]]] = {
    TimestampPart.MINUTE: lambda at: at.minute,
    TimestampPart.HOUR: lambda at: at.hour,
    TimestampPart.DAY: lambda at: at.day,
    TimestampPart.WEEK: lambda at: at.isocalendar().week,
    TimestampPart.MONTH: lambda at: at.month,
    TimestampPart.YEAR: lambda at: at.year,
}


def time_part(value: Json, part: TimestampPart) -> int | None:
    """Return the part of the time that `value` holds, or None."""
    at = _moment(value)
    return None if at is None else _PARTS[part](at)


def _moment(value: Json) -> datetime | None:
    try:
        if isinstance(value, str) and len(value) <= 40:
            at = datetime.fromisoformat(_FRACTION.sub(r"\1", value))
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
