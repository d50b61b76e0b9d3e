"""What a scan counts, and the times that it judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_INFINITY: Final = float("inf")


@dataclass(slots=True)
class Tally:
    """What a scan read: events, those outside the asked times, and what it could not use by reason.

    By correlation: `dropped_groups`, and matches `turned_away` by a full window.
    """

    events: int = 0
    outside: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    evaluation_errors: Counter[str] = field(default_factory=Counter[str])
    dropped_groups: Counter[str] = field(default_factory=Counter[str])
    turned_away: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: Tally) -> None:
        """Count what another part of the same scan read."""
        self.events += other.events
        self.outside += other.outside
        self.rejected.update(other.rejected)
        self.evaluation_errors.update(other.evaluation_errors)
        self.dropped_groups.update(other.dropped_groups)
        self.turned_away.update(other.turned_away)


class Period(NamedTuple):
    """Event times that are judged, in seconds (UTC): `start` and later, before `end`."""

    start: float = -_INFINITY
    end: float = _INFINITY


ALWAYS: Final = Period()
