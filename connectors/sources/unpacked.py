"""What one record held, and how it counts (contracts, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.sources.reject import Reject
from detectors.event import Event


@dataclass(slots=True)
class Unpacked:
    """What one record held.

    `rejects` are events that could not be read, or, when `unreadable`, the one reason for the
    whole record. `control` counts health probes of the transport. Laws (contracts, section 3):
    a record is exactly one `ending`; its events are len(events) + (0 if unreadable else len(rejects)).
    """

    events: list[Event]
    rejects: Sequence[Reject] = ()
    control: int = 0
    empty: bool = False
    unreadable: bool = False

    @property
    def ending(self) -> Literal["unpacked", "rejected", "control", "empty"]:
        """How the record counts."""
        if self.unreadable:
            return "rejected"
        if self.events or self.rejects:
            return "unpacked"
        return "control" if self.control else "empty"

    @property
    def unpacked_events(self) -> int:
        """How many events the record counts for: good ones and event-level rejects."""
        return len(self.events) + (0 if self.unreadable else len(self.rejects))
