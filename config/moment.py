"""A moment in a configuration file: an RFC 3339 time, or a date, which is its first moment in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime


def moment(value: object) -> float:
    """Return seconds since the epoch (UTC) of what YAML read. Raises ValueError that says what to write.

    YAML turns unquoted dates and times into objects, one without an offset into one without a zone.
    """
    if isinstance(value, str):
        try:
            value = (
                datetime.fromisoformat(value) if len(value) > len("2026-05-01") else date.fromisoformat(value)
            )
        except ValueError as error:
            raise ValueError(_told(value)) from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no offset: end it with Z for UTC")
        return value.timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    raise ValueError(_told(value))


def _told(value: object) -> str:
    return f"{str(value)[:40]!r} is no date (2026-05-01) and no RFC 3339 time (2026-05-01T10:00:00Z)"
