"""The use of a credential that was proven dead: somebody still holds what was stolen.

respond states what is dead (`davylamp.dead-credential/1`, `playbooks/debt.py`); the event's time decides
whether a use came after the proof. One finding a credential and minute, so that hammering is no flood and a
replay gives the same ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast, get_args

from detectors.event import Entity, EntityType, Event, Json
from detectors.finding import Finding, rfc3339
from detectors.identifier import derive
from detectors.wording import plain

RULE_ID: Final = "davylamp-dead-credential-used"
SCHEMA: Final = "davylamp.dead-credential/1"
CAPACITY: Final = 10_000
MINUTE_S: Final = 60.0
_MAX_NAMES: Final = 64
_MAX_TEXT: Final = 512
_MAX_ENTITIES: Final = 16
_TOLD: Final = 10_000
_TYPES: Final = frozenset[str](get_args(EntityType))


class DeadCredential(NamedTuple):
    """One dead credential. Times: seconds (UTC); a refused use counts from `refused_from` on."""

    type: EntityType
    id: str
    names: tuple[str, ...]
    target: str
    action_id: str
    incident_id: str
    epoch: int
    proven_at: float
    refused_from: float
    accepted_from: float


def read(document: Mapping[str, Json]) -> DeadCredential | None:
    """Return what a message states, None for one that is no `davylamp.dead-credential/1`."""
    names, kind = document.get("names"), document.get("type")
    texts = [document.get(key) for key in ("id", "target", "action_id", "incident_id")]
    times = [document.get(key) for key in ("epoch", "proven_at", "refused_from", "accepted_from")]
    if document.get("schema") != SCHEMA or kind not in _TYPES or not isinstance(names, list):
        return None
    if not all(isinstance(text, str) and len(text) <= _MAX_TEXT for text in (*texts, *names)):
        return None
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
        return None
    epoch, proven_at, refused_from, accepted_from = cast("list[float]", times)
    if not texts[0] or not names or len(names) > _MAX_NAMES or not all(names):
        return None
    identifier, target, action_id, incident_id = cast("list[str]", texts)
    return DeadCredential(
        cast(EntityType, kind),
        identifier,
        tuple(cast("list[str]", names)),
        target,
        action_id,
        incident_id,
        int(epoch),
        proven_at,
        refused_from,
        accepted_from,
    )


class DeadCredentials:
    """What is known to be dead: the newest `capacity` names. Empty costs nothing."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._by_name: OrderedDict[str, DeadCredential] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self.bytes: frozenset[bytes] = frozenset()
        self.overflow = 0

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, credentials: Sequence[DeadCredential]) -> None:
        """Take what was proven; of one name the latest proof counts, whatever the order of arrival."""
        for one in credentials:
            for name in one.names:
                known = self._by_name.get(name)
                if known is None or known.proven_at < one.proven_at:
                    self._by_name[name] = one
        if len(self._by_name) > self._capacity:
            newest = sorted(self._by_name.items(), key=lambda item: (-item[1].proven_at, item[0]))
            self.overflow += len(newest) - self._capacity
            self._by_name = OrderedDict(newest[: self._capacity])
        self.bytes = frozenset(name.encode() for name in self._by_name)

    def forget_told(self) -> None:
        """Tell everything again: what was told last may not have been heard."""
        self._told.clear()

    def findings(self, event: Event, presented: Sequence[str]) -> list[Finding]:
        """Return the finding of a use by one of the `presented` names, not yet told in this minute."""
        for name in presented:
            dead = self._by_name.get(name)
            if dead is None:
                continue
            refused = event.profile.outcome(event) == "failure"
            if event.time <= (dead.refused_from if refused else dead.accepted_from):
                continue
            found = _finding(event, dead, refused=refused)
            if found.finding_id in self._told:
                return []
            self._told[found.finding_id] = None
            if len(self._told) > _TOLD:
                self._told.popitem(last=False)
            return [found]
        return []


def _finding(event: Event, dead: DeadCredential, *, refused: bool) -> Finding:
    minute = str(int(event.time // MINUTE_S))
    credential = Entity(dead.type, dead.id, "actor")
    others = [e for e in event.profile.entities(event) if e[:2] != credential[:2]]
    where = next((f" from {plain(e.id)}" for e in others if e.type in ("address", "host")), "")
    ending = "was refused" if refused else "was let in"
    return Finding(
        rule_id=RULE_ID,
        title="A dead credential was used",
        level="critical",
        base_level="critical",
        status="final",
        source=event.source,
        event_id=event.event_id,
        event_ids=(event.event_id,),
        event_time=event.time,
        first_time=event.time,
        last_time=event.time,
        count=1,
        entities=(credential, *others[: _MAX_ENTITIES - 1]),
        attack=("T1078",),
        explain=(
            f"{dead.type} {plain(dead.id)} of {plain(dead.target)} was proven dead at "
            f"{rfc3339(dead.proven_at)} and was presented again at {rfc3339(event.time)}{where}; it {ending}"
        ),
        finding_id=derive("finding", RULE_ID, "1", dead.type, dead.id, minute),
        labels={
            "target": dead.target,
            "action_id": dead.action_id,
            "dead_incident_id": dead.incident_id,
            "epoch": str(dead.epoch),
        },
    )
