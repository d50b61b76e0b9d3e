"""Times of documents: RFC 3339 UTC with milliseconds, made once a second."""

from __future__ import annotations

from functools import lru_cache

from detectors.finding import rfc3339


def moment(time: float) -> str:
    """Return `rfc3339(time)` of seconds since the epoch (UTC)."""
    second, milli = divmod(round(time * 1000), 1000)
    return f"{_second(second)}.{milli:03d}Z"


@lru_cache(maxsize=1024)
def _second(at: int) -> str:
    return rfc3339(float(at))[:19]
