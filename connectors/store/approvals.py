"""What people write through the web role: decisions about a plan's digest, acknowledgements.

One row a person and action, so one person counts once. A row about an older digest is replaced: the
plan changed, and the person has not yet decided about this one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from sqlalchemy import Connection, delete, func, insert, select

from connectors.store import schema
from connectors.store.records import Approval

Decision: TypeAlias = Literal["approve", "reject"]
Via: TypeAlias = Literal["page", "api"]


def given(connection: Connection, action_id: str) -> tuple[Approval, ...]:
    """Return every decision about an action, oldest first, whatever its digest."""
    table = schema.approvals
    query = select(table).where(table.c.action_id == action_id).order_by(table.c.at, table.c.approver)
    return tuple(Approval(**row) for row in connection.execute(query).mappings())


def last(connection: Connection) -> tuple[int, float | None]:
    """Return what changes with every decision: how many there are, and when the last was made."""
    table = schema.approvals
    number, at = connection.execute(select(func.count(), func.max(table.c.at))).one()
    return number, at


def decide(
    connection: Connection,
    action_id: str,
    approver: str,
    decision: Decision,
    digest: str,
    at: float,
    via: Via,
) -> None:
    """Record a decision. The caller has checked the rules (`playbooks/approval.py`) in this transaction."""
    table = schema.approvals
    connection.execute(delete(table).where(table.c.action_id == action_id, table.c.approver == approver))
    connection.execute(
        insert(table).values(
            action_id=action_id, approver=approver, decision=decision, digest=digest, at=at, via=via
        )
    )


def acknowledge(connection: Connection, incident_id: str, person: str, at: float) -> bool:
    """Record that `person` has seen the incident; return False when they had said so before."""
    table = schema.acknowledgements
    known = connection.scalar(
        select(table.c.at).where(table.c.incident_id == incident_id, table.c.person == person)
    )
    if known is not None:
        return False
    connection.execute(insert(table).values(incident_id=incident_id, person=person, at=at))
    return True
