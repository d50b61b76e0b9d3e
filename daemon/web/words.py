"""Times and lengths as people read them at night. All input is seconds since the epoch (UTC) or seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.finding import rfc3339


def span(seconds: float) -> str:
    """Return a length of time: ``0.4 s``, ``12 s``, ``4 min``, ``2 h 10 min``, ``3 d 4 h``."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def stamp(at: float) -> str:
    """Return ``2026-11-23 02:14:09 UTC``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: float, now: float) -> str:
    """Return the time of day, with the date when it is not today (UTC)."""
    then, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%d %b %H:%M:%S") if then.year == today.year else then.strftime("%Y-%m-%d %H:%M")


def count(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 finding`` or ``3 findings``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def iso(at: float) -> str:
    """Return RFC 3339 UTC with milliseconds, for machines."""
    return rfc3339(at)
