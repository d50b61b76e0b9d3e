"""A routine rotation that went wrong wakes a person: Davylamp's own finding opens an incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from connectors.store import findings as kept
from connectors.store.database import Database
from connectors.store.ingest import ingest
from connectors.store.meeting import OWN_SOURCE
from connectors.store.schema import actions
from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from detectors.level import Level
from playbooks.credential import ROLES
from playbooks.policy import Policy
from playbooks.schedule import REQUESTER
from playbooks.target import TargetRef

RULE_ID: Final = "davylamp-routine-rotation"
PLAYBOOK: Final = "rotation-trouble"
_TOPIC: Final = "routine"
_LEVELS: Final[dict[str, Level]] = {
    "failed": "medium",
    "rolled_back": "medium",
    "verify_failed": "high",
    "needs_human": "high",
}
_LOOK_BACK_S: Final = 86_400.0


def open_incidents(database: Database, now: float, policy: Policy) -> Sequence[str]:
    """Open, or join, an incident for each routine rotation that ended badly within a day; return new ids.

    `now`: seconds (UTC). The finding's id comes from the action's, so each is told once. Raises StoreError.
    """
    query = select(actions).where(
        actions.c.state.in_(sorted(_LEVELS)),
        actions.c.requester.startswith(REQUESTER),
        actions.c.finished_at > now - _LOOK_BACK_S,
    )
    with database.reading() as connection:
        made = [trouble(row, policy) for row in connection.execute(query).mappings()]
        told = kept.known(connection, [finding.finding_id for finding in made])
    fresh = [finding for finding in made if finding.finding_id not in told]
    if not fresh:
        return ()
    return ingest(database, [(_TOPIC, 0, 0, finding) for finding in fresh], {}, now, policy).opened


def trouble(row: Any, policy: Policy) -> Finding:
    """Return the finding about a routine rotation; `row` is a row of `actions` that ended badly."""
    at, level = float(row["finished_at"]), _LEVELS[row["state"]]
    target = policy.target(row["target_key"])
    event_id = f"action-{row['id']}"
    return Finding(
        rule_id=RULE_ID,
        title="A routine rotation did not succeed",
        level=level,
        base_level=level,
        status="final",
        source=OWN_SOURCE,
        event_id=event_id,
        event_ids=(event_id,),
        event_time=at,
        first_time=at,
        last_time=at,
        count=1,
        entities=(_entity(target, row["target_key"]),),
        attack=(),
        explain=f"{row['requester']}: {row['target_key']}: {row['state']}, {row['reason']}",
        finding_id=derive("finding", RULE_ID, "1", event_id),
        labels={"playbook": PLAYBOOK},
    )


def _entity(target: TargetRef | None, key: str) -> Entity:
    if target is not None and target.kind in ROLES:
        return Entity("credential", f"database:{target.mount}/{target.name}", "target")
    for kind, name in target.named_as if target is not None else ():
        if kind in ("credential", "secret"):
            return Entity(kind, name, "target")
    return Entity("credential", key, "target")
