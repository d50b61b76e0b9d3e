"""A canary as its finding tells it: what a reader of findings measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from detectors.canary.finding import APPENDED, LABEL


class Sight(NamedTuple):
    """Which canary: its source, and slot and append time in seconds since the epoch (UTC)."""

    source: str
    due: float
    appended: float


def sight_of(finding: Mapping[str, Any]) -> Sight | None:
    """Return the canary that a finding as JSON tells of, None when it tells of none. Never raises."""
    labels = finding.get("labels")
    if not isinstance(labels, dict) or LABEL not in labels:
        return None
    told = cast("dict[str, Any]", labels)
    try:
        return Sight(str(told[LABEL]), float(told["canary_due"]), float(told[APPENDED]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
