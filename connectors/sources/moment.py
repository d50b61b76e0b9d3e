"""Event times: RFC 3339 text to seconds since the epoch (UTC)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connectors.sources.reject import Reason, Reject

_EARLIEST: Final = 631_152_000.0
_LATEST: Final = 7_258_118_400.0


def seconds(text: object, field: str) -> float:
    """Return seconds since the epoch of the time in `field`; nanoseconds are cut to microseconds.

    Raises Reject: missing_time, wrong_type or bad_time (no offset, not RFC 3339, not 1990 to 2199).
    """
    if not isinstance(text, str):
        if text is None:
            raise Reject(Reason.MISSING_TIME, f"{field} is missing")
        raise Reject(Reason.WRONG_TYPE, f"{field} is {type(text).__name__}, expected a time as text")
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise Reject(Reason.BAD_TIME, f"{field} has no offset")
        stamp = at.timestamp()
    except (ValueError, OverflowError):
        raise Reject(Reason.BAD_TIME, f"{field} is not RFC 3339") from None
    if _EARLIEST <= stamp < _LATEST:
        return stamp
    raise Reject(Reason.BAD_TIME, f"{field} is not between 1990 and 2199")
