"""What the daemon has found and done, read from its database of record: the demo only looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from connectors.store import schema
from connectors.store.database import Database
from detectors.finding import parse_rfc3339
from detectors.level import parse_level, rank

ANALYTICS_KEY: Final = "database_static_role:database/analytics"
CUSTOMERS_KEY: Final = "database_static_role:database/customer-records"
_LOUD: Final = rank("medium")


@dataclass(frozen=True, slots=True)
class Found:
    """One finding that stands in an incident or not; `received_at` in seconds, UTC."""

    finding_id: str
    title: str
    level: str
    status: str
    event_ids: tuple[str, ...]
    incident_id: str | None
    received_at: float

    @property
    def loud(self) -> bool:
        """Whether it is medium or above."""
        return rank(parse_level(self.level)) >= _LOUD

    def names(self, marker: str) -> bool:
        """Return whether one of its events is the one that `marker` begins."""
        return any(event_id == marker or event_id.startswith(f"{marker}/") for event_id in self.event_ids)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; times in seconds, UTC. Contained is when the timeline first says so (sessions ended)."""

    id: str
    number: int
    key: str
    level: str
    title: str
    status: str
    detected_at: float
    contained_at: float | None
    finding_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: a drill, a rotation, a proposal."""

    id: str
    incident_id: str | None
    target_key: str
    drill: bool
    state: str
    reason: str
    needed: int
    given: int
    proof: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at everything."""

    findings: tuple[Found, ...]
    incidents: tuple[Incident, ...]
    actions: tuple[Action, ...]
    pages: frozenset[str]

    def finding_of(self, marker: str) -> Found | None:
        """Return the first loud finding about an event, or None."""
        return next((f for f in self.findings if f.loud and f.incident_id and f.names(marker)), None)

    def drill_of(self, target_key: str) -> Action | None:
        """Return the newest drill of a target."""
        return next((a for a in reversed(self.actions) if a.drill and a.target_key == target_key), None)

    def action_on(self, target_key: str) -> Action | None:
        """Return the first action on a target that is no drill."""
        return next((a for a in self.actions if not a.drill and a.target_key == target_key), None)

    def incident_of(self, action: Action) -> Incident | None:
        """Return the incident that an action belongs to."""
        return next((i for i in self.incidents if i.id == action.incident_id), None)


def look(database: Database) -> Seen:
    """Return what stands in the database now. Raises StoreError."""
    with database.reading() as connection:
        findings = _findings(connection)
        return Seen(findings, _incidents(connection, findings), _actions(connection), _pages(connection))


def proven_at(proof: Mapping[str, Any]) -> float:
    """Return when a proof was finished, in seconds, UTC."""
    return parse_rfc3339(str(proof["proven_at"]))


def next_offsets(database: Database, topic: str) -> dict[int, int]:
    """Return partition -> next offset that respond will read of `topic`."""
    table = schema.offsets
    with database.reading() as connection:
        rows = connection.execute(select(table).where(table.c.topic == topic)).all()
    return {row.partition: row.next_offset for row in rows}


def _findings(connection: Connection) -> tuple[Found, ...]:
    table = schema.findings
    query = select(table).where(table.c.level != "informational").order_by(table.c.received_at)
    return tuple(_found(row._mapping) for row in connection.execute(query))


def _found(row: Mapping[Any, Any]) -> Found:
    document = json.loads(row["document"])
    return Found(
        finding_id=row["finding_id"],
        title=document["title"],
        level=row["level"],
        status=row["status"],
        event_ids=tuple(document["event_ids"]),
        incident_id=row["incident_id"],
        received_at=row["received_at"],
    )


def _incidents(connection: Connection, findings: Sequence[Found]) -> tuple[Incident, ...]:
    table = schema.incidents
    rows = connection.execute(select(table).order_by(table.c.number)).all()
    line = schema.timeline
    times = select(line.c.incident_id, func.min(line.c.at)).where(line.c.kind == "contained")
    contained = {row[0]: row[1] for row in connection.execute(times.group_by(line.c.incident_id))}
    return tuple(
        Incident(
            id=row.id,
            number=row.number,
            key=row.key,
            level=row.level,
            title=row.title,
            status=row.status,
            detected_at=row.detected_at,
            contained_at=contained.get(row.id, row.contained_at),
            finding_ids=tuple(sorted(f.finding_id for f in findings if f.incident_id == row.id)),
        )
        for row in rows
    )


def _actions(connection: Connection) -> tuple[Action, ...]:
    table, proofs, approvals = schema.actions, schema.proofs, schema.approvals
    proven = {row.action_id: json.loads(row.document) for row in connection.execute(select(proofs))}
    given = (
        connection.execute(select(approvals.c.action_id).where(approvals.c.decision == "approve"))
        .scalars()
        .all()
    )
    return tuple(
        Action(
            id=row.id,
            incident_id=row.incident_id,
            target_key=row.target_key,
            drill=row.drill,
            state=row.state,
            reason=row.reason,
            needed=row.needed,
            given=given.count(row.id),
            proof=proven.get(row.id),
        )
        for row in connection.execute(select(table).order_by(table.c.created_at))
    )


def _pages(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(schema.deliveries.c.notification_id)).scalars())
