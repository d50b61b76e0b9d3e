"""What is owed, for people and gauges: rows of `revocation_debt`, bounded. Times: seconds, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from connectors.store.schema import revocation_debt as table

MAX_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class DebtRow:
    """One old credential by what it is called, never itself. `state`: owed, paid or settled.

    `next_at` is when the proof is tried again; None for an owed one: its proof runs, or a person must look.
    """

    action_id: str
    incident_id: str | None
    target_key: str
    epoch: int
    credential: str
    since: float
    reason: str
    state: str
    looks: int
    next_at: float | None
    ended_at: float | None
    grade: str | None
    settled_by: str | None
    note: str | None


_COLUMNS: Final = [table.c[name] for name in DebtRow.__dataclass_fields__]


def owed(connection: Connection, *, limit: int = MAX_ROWS) -> Sequence[DebtRow]:
    """Return what is owed, the oldest first."""
    return _rows(connection, owed_only=True, incident_id=None, limit=limit)


def every(connection: Connection, *, limit: int = MAX_ROWS) -> Sequence[DebtRow]:
    """Return what is and what was owed, the oldest first."""
    return _rows(connection, owed_only=False, incident_id=None, limit=limit)


def of_incident(connection: Connection, incident_id: str, *, limit: int = 50) -> Sequence[DebtRow]:
    """Return the debts of one incident, ended ones too, the oldest first."""
    return _rows(connection, owed_only=False, incident_id=incident_id, limit=limit)


def total(connection: Connection) -> tuple[int, float | None]:
    """Return how many are owed, and since when the oldest is."""
    query = select(func.count(), func.min(table.c.since)).where(table.c.state == "owed")
    number, oldest = connection.execute(query).one()
    return int(number), oldest


def _rows(
    connection: Connection, *, owed_only: bool, incident_id: str | None, limit: int
) -> Sequence[DebtRow]:
    query = select(*_COLUMNS).order_by(table.c.since, table.c.action_id).limit(limit)
    query = query.where(table.c.state == "owed") if owed_only else query
    query = query.where(table.c.incident_id == incident_id) if incident_id is not None else query
    return [DebtRow(*row) for row in connection.execute(query)]
