"""What goes into a bundle of evidence: an incident for people and machines, or the whole record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from connectors.evidence import bundle, rows
from connectors.evidence.chains import AUDIT, TIMELINE
from connectors.store import reading
from connectors.store.database import Database
from connectors.store.records import IncidentRecord
from daemon.web import documents
from daemon.web.narrative import deeds, waits
from daemon.web.proof_panel import panel
from daemon.web.rendering import environment, style_sheet
from detectors.finding import rfc3339

_SHOWN: Final = 200
_MOST: Final = 1_000_000


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Yield a connection on which every statement sees the same moment, on both databases."""
    with database.reading() as connection:
        if database.dialect == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


def export_incident(
    connection: Connection, incident_id: str, path: Path, key: Ed25519PrivateKey, site: str, now: float
) -> str | None:
    """Write the bundle of one incident; return the key's fingerprint, None when there is no such incident.

    Raises EvidenceError, StoreError.
    """
    record = _whole(connection, incident_id)
    if record is None:
        return None
    subjects = [incident_id, *(action.id for action in record.actions)]
    document = documents.incident(record, now)
    files = {
        "incident.html": [_page(record, site, now)],
        "incident.json": [json.dumps(document, indent=1, allow_nan=False).encode("ascii")],
        "findings.jsonl": rows.finding_lines(connection, incident_id),
        TIMELINE: rows.timeline_lines(connection, incident_id),
        AUDIT: rows.audit_lines(connection, subjects),
    }
    about = _about(connection, "incident", site, now) | {"incident_id": incident_id, "audit_whole": False}
    return bundle.write(path, files, about, key)


def export_record(connection: Connection, path: Path, key: Ed25519PrivateKey, site: str, now: float) -> str:
    """Write the bundle of the whole audit trail and all timelines; return the key's fingerprint.

    Raises EvidenceError, StoreError.
    """
    files = {TIMELINE: rows.timeline_lines(connection), AUDIT: rows.audit_lines(connection)}
    about = _about(connection, "audit", site, now) | {"audit_whole": True}
    return bundle.write(path, files, about, key)


def _about(connection: Connection, kind: str, site: str, now: float) -> dict[str, object]:
    return {"kind": kind, "site": site, "made_at": rfc3339(now), **rows.heads(connection)}


def _whole(connection: Connection, incident_id: str) -> IncidentRecord | None:
    """Return the record with every action and timeline line; findings are a file of their own."""
    record = reading.incident(connection, incident_id, findings=_SHOWN, timeline=_MOST, entities=_MOST)
    if record is None:
        return None
    found = [reading.action(connection, one) for one in rows.action_ids(connection, incident_id)]
    return replace(record, actions=[action for action in found if action is not None])


def _page(record: IncidentRecord, site: str, now: float) -> bytes:
    """Return the incident as one page without scripts, links or anything to fetch."""
    acknowledged = bool(record.acknowledged_by) or record.row.acked_at is not None
    text = (
        environment()
        .get_template("evidence.html")
        .render(
            record=record,
            row=record.row,
            site_name=site,
            now=now,
            sheet=style_sheet()[0].decode("utf-8"),
            deeds=deeds(record),
            waits=waits(record.row, record.actions, acknowledged, now),
            panels=[shown for action in record.actions if (shown := panel(action)) is not None],
        )
    )
    return text.encode("utf-8", "replace")
