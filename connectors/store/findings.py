"""Findings as kept: each once by its id, with its entities, and the incident that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, insert, select, update

from connectors.store.canonical import dumps
from connectors.store.schema import finding_entities, findings
from detectors.finding import Finding

_CHUNK: Final = 500


def known(connection: Connection, finding_ids: Sequence[str]) -> set[str]:
    """Return which of these findings are already kept."""
    found: set[str] = set()
    for start in range(0, len(finding_ids), _CHUNK):
        chunk = list(finding_ids[start : start + _CHUNK])
        found.update(
            connection.execute(
                select(findings.c.finding_id).where(findings.c.finding_id.in_(chunk))
            ).scalars()
        )
    return found


def keep(
    connection: Connection, finding: Finding, received_at: float, disposition: str, incident_id: str | None
) -> None:
    """Insert a bounded finding. `disposition`: incident, context, self, informational."""
    connection.execute(
        insert(findings).values(
            finding_id=finding.finding_id,
            rule_id=finding.rule_id,
            source=finding.source,
            level=finding.level,
            status=finding.status,
            event_time=finding.event_time,
            received_at=received_at,
            incident_id=incident_id,
            disposition=disposition,
            document=dumps(finding.to_json()),
        )
    )
    rows = sorted({(e.type, e.id, e.role) for e in finding.entities})
    if rows:
        connection.execute(
            insert(finding_entities),
            [
                {"finding_id": finding.finding_id, "type": kind, "entity_id": name, "role": role}
                for kind, name, role in rows
            ],
        )


def assign(connection: Connection, finding_ids: Iterable[str], incident_id: str) -> None:
    """Make findings part of an incident."""
    chosen = sorted(set(finding_ids))
    for start in range(0, len(chosen), _CHUNK):
        chunk = chosen[start : start + _CHUNK]
        connection.execute(
            update(findings).where(findings.c.finding_id.in_(chunk)).values(incident_id=incident_id)
        )
