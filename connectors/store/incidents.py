"""Incidents in SQL: legal transitions by compare-and-set, and the latest state for `davylamp.incidents`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from connectors.store import debt, outbox, timeline
from connectors.store.canonical import storable
from connectors.store.error import ConflictError, UnknownRowError
from connectors.store.incident_document import document
from connectors.store.schema import actions, incidents
from playbooks.action import TERMINAL
from playbooks.containment import RELEASE
from playbooks.incident import Status, check_transition, parse_status

TOPIC: Final = "davylamp.incidents"
_STAMP: Final[Mapping[Status, str]] = {
    "acknowledged": "acked_at",
    "contained": "contained_at",
    "recovered": "recovered_at",
    "closed": "closed_at",
}


def publish(connection: Connection, incident_id: str, now: float) -> None:
    """Raise the incident's version and queue its latest state. Raises UnknownRowError."""
    sequence = (
        connection.execute(select(func.coalesce(func.max(incidents.c.updated_seq), 0))).scalar_one() + 1
    )
    changed = connection.execute(
        incidents.update()
        .where(incidents.c.id == incident_id)
        .values(version=incidents.c.version + 1, updated_seq=sequence)
    )
    if changed.rowcount != 1:
        raise UnknownRowError(f"no incident {incident_id}")
    outbox.put(connection, TOPIC, incident_id, document(connection, incident_id), now)


def transition(
    connection: Connection,
    incident_id: str,
    to_status: str,
    now: float,
    by: str,
    detail: Mapping[str, str] | None = None,
    *,
    version: int | None = None,
) -> None:
    """Move an incident, write its timeline, publish it.

    `detail` may hold `reason` (a CloseReason), `note`, `owner`, `parent_id`. `version` is what the
    caller saw. Raises UnknownRowError, IllegalTransitionError (DebtOwedError), ConflictError.
    """
    row = _row(connection, incident_id)
    target = parse_status(to_status)
    check_transition(parse_status(row["status"]), target)
    debt.check_paid(connection, incident_id, target)
    given = dict(detail or {})
    values: dict[str, Any] = {"status": target}
    if target in _STAMP:
        values[_STAMP[target]] = now
    if target == "closed":
        values["close_reason"] = given.get("reason", "mitigated")
    if target == "acknowledged":
        values["owner"] = storable(given.get("owner", by), 256)
    if "note" in given:
        values["note"] = storable(given["note"])
    if "parent_id" in given:
        values["parent_id"] = given["parent_id"]
    seen = row["version"] if version is None else version
    changed = connection.execute(
        incidents.update().where(incidents.c.id == incident_id, incidents.c.version == seen).values(values)
    )
    if changed.rowcount != 1:
        raise ConflictError(f"incident {incident_id} changed since version {seen}")
    timeline.append(
        connection, incident_id, now, target, f"{by}: {row['status']} to {target}", {"by": by, **given}
    )
    publish(connection, incident_id, now)


def mark_contained(connection: Connection, incident_id: str, now: float, proof_id: str) -> None:
    """Record that a proof (`proof_id` = its action) stands; contained once no other action is open.

    Does nothing but a timeline row for an incident that is already past containment.
    """
    row = _row(connection, incident_id)
    data = {"proof_id": proof_id}
    timeline.append(connection, incident_id, now, "proof", "the old credential is proven dead", data)
    waiting = connection.execute(
        select(func.count()).where(
            actions.c.incident_id == incident_id,
            actions.c.id != proof_id,
            actions.c.drill.is_(False),
            actions.c.verb != RELEASE,
            actions.c.state.not_in(sorted(TERMINAL)),
        )
    ).scalar_one()
    if waiting or row["status"] not in ("new", "acknowledged", "reopened"):
        publish(connection, incident_id, now)
        return
    transition(connection, incident_id, "contained", now, "davylamp", data)


def _row(connection: Connection, incident_id: str) -> Mapping[Any, Any]:
    found = connection.execute(select(incidents).where(incidents.c.id == incident_id)).mappings().first()
    if found is None:
        raise UnknownRowError(f"no incident {incident_id}")
    return found
