"""Canaries: synthetic events that prove the way from a raw topic to the SIEM (docs/canary.md)."""

from __future__ import annotations

from pydantic import Field

from config.secret import Secret
from config.section import Section


class Canary(Section):
    """One canary every `every_minutes` (0: none) a raw topic, off unless `key` is given.

    `grace_s`: how long after its slot a canary may be appended and still counts, in seconds. The key is read
    anew every second, so it can be changed without a restart.
    """

    key: Secret = Secret()
    every_minutes: float = Field(default=5.0, ge=0, le=1440)
    grace_s: float = Field(default=120.0, gt=0, le=3600)

    @property
    def period_s(self) -> int:
        """Seconds between two slots, 0 when there are none. Slots lie on whole seconds of the epoch."""
        return max(1, round(self.every_minutes * 60)) if self.every_minutes else 0

    @property
    def on(self) -> bool:
        """Whether detect sends canaries."""
        return self.key.given() and self.period_s > 0

    def without_key(self) -> Canary:
        """Return what roles but detect may know: how often canaries come, 0 when they are off."""
        every = self.every_minutes if self.key.given() else 0.0
        return self.model_copy(update={"key": Secret(), "every_minutes": every})
