"""How many refusals of strangers may become audit rows: a flood must not fill the table of record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class AuditBudget:
    """At most `per_minute` rows a minute for callers without an identity; the rest is only counted.

    Refusals of a known person are always recorded and never ask here.
    """

    per_minute: int = 60
    _window: int = -1
    _used: int = 0

    def allow(self, now: float) -> bool:
        """Return whether one more row may be written at `now` (seconds, UTC)."""
        window = int(now // 60)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used <= self.per_minute
