"""Event times: RFC 3339 text to seconds since the epoch (UTC)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from connectors.sources.reject import Reason, Reject
from detectors.finding import rfc3339

_EARLIEST: Final = 631_152_000.0
_LATEST: Final = 7_258_118_400.0
_TIME_LIMIT: Final = 40
_DIGITS_LIMIT: Final = 19
_parsed: Final = datetime.fromisoformat


def seconds(text: object, field: str) -> float:
    """Return seconds since the epoch of the time in `field`; nanoseconds are cut to microseconds.

    Raises Reject: missing_time, wrong_type or bad_time (no offset, not RFC 3339, not 1990 to 2199).
    """
    try:
        at = _parsed(text)  # pyright: ignore[reportArgumentType]
        if at.tzinfo is not None:
            stamp = at.timestamp()
            if _EARLIEST <= stamp < _LATEST:
                return stamp
    except (TypeError, ValueError, OverflowError):
        if isinstance(text, str) and text[-1:] == "z":  # RFC 3339 allows a small one, Python does not read it
            return seconds(f"{text[:-1]}Z", field)
        raise _unreadable(text, field) from None
    if at.tzinfo is None:
        raise Reject(Reason.BAD_TIME, f"{field} has no offset")
    raise Reject(Reason.BAD_TIME, f"{field} is not between 1990 and 2199")


def _unreadable(text: object, field: str) -> Reject:
    if isinstance(text, str):
        return Reject(Reason.BAD_TIME, f"{field} is not RFC 3339")
    if text is None:
        return Reject(Reason.MISSING_TIME, f"{field} is missing")
    return Reject(Reason.WRONG_TYPE, f"{field} is {type(text).__name__}, expected a time as text")


def stated(time: Any) -> str | None:
    """Return the time that an envelope states for a line as RFC 3339, or None.

    RFC 3339 text stays as it is (`seconds` judges it); numbers and digits are seconds, milliseconds or
    nanoseconds since the epoch, told by their size.
    """
    if isinstance(time, bytes):
        time = time.decode("ascii", "replace")
    if isinstance(time, str):
        if not time.isdecimal():
            return time if 0 < len(time) <= _TIME_LIMIT else None
        time = int(time) if len(time) <= _DIGITS_LIMIT else 0
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    for unit in (1, 1000, 1_000_000_000):
        if _EARLIEST <= time / unit < _LATEST:
            return rfc3339(time / unit)
    return None
