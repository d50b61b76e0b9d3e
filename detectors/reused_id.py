"""Audit ids that come again with another event: callers choose them, so one may be meant to hide another.

Both events count; the finding only says that it happened (`docs/architecture.md`, ids). The source id and
stage stand before the last slash of an event id, what the server set is the hash behind it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from detectors.event import Event
from detectors.finding import Finding, finding_id
from detectors.wording import MAX_SENTENCE, plain

RULE_ID: Final = "davylamp-reused-audit-id"
VERSION: Final = 1
SOURCES: Final = frozenset({"kubernetes_audit"})


class ReusedIds:
    """A bounded memory of the first event of each audit id and stage; least recently used out first."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = max(1, capacity)
        self._first: OrderedDict[str, str] = OrderedDict()

    def clashes(self, event_id: str) -> bool:
        """Return whether `finding` would speak of an event of `SOURCES` with this id. Changes nothing."""
        first = self._first.get(event_id.rpartition("/")[0])
        return first is not None and first != event_id

    def note(self, event_id: str) -> None:
        """Remember an event of `SOURCES` that does not clash, as `finding` does."""
        shared = event_id.rpartition("/")[0]
        if shared in self._first:
            self._first.move_to_end(shared)
            return
        self._first[shared] = event_id
        if len(self._first) > self._capacity:
            self._first.popitem(last=False)

    def finding(self, event: Event) -> Finding | None:
        """Return a low finding when another event of the same audit id and stage came before, else None."""
        if event.source not in SOURCES:
            return None
        event_id = event.event_id
        shared = event_id.rpartition("/")[0]
        first = self._first.get(shared)
        if first is None:
            self._first[shared] = event_id
            if len(self._first) > self._capacity:
                self._first.popitem(last=False)
            return None
        self._first.move_to_end(shared)
        return None if first == event_id else _finding(event, first)


def _finding(event: Event, first: str) -> Finding:
    event_ids = (first, event.event_id)
    told = plain(event.profile.summary(event), MAX_SENTENCE)
    return Finding(
        rule_id=RULE_ID,
        title="Audit id used for two different events",
        level="low",
        base_level="low",
        status="final",
        source=event.source,
        event_id=event.event_id,
        event_ids=event_ids,
        event_time=event.time,
        first_time=event.time,
        last_time=event.time,
        count=2,
        entities=tuple(event.profile.entities(event))[:16],
        attack=("T1036",),
        explain=plain(f"Audit id used for two different events, lastly: {told}", MAX_SENTENCE),
        finding_id=finding_id(RULE_ID, VERSION, event_ids),
        labels={"playbook": "log-tampering"},
    )
