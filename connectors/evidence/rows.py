"""The rows of record as lines of JSON, streamed: for bundles of any length."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from sqlalchemy import Connection, Select, select

from connectors.evidence.chains import AUDIT, TIMELINE
from connectors.store.schema import actions, audit, findings, timeline

_PAGE: Final = 500


def action_ids(connection: Connection, incident_id: str) -> list[str]:
    """Return the ids of all of an incident's actions, in the order of their making."""
    query = select(actions.c.id).where(actions.c.incident_id == incident_id)
    return list(connection.scalars(query.order_by(actions.c.created_at, actions.c.id)))


def finding_lines(connection: Connection, incident_id: str) -> Iterator[bytes]:
    """Yield every finding of an incident as its document, one a line, in the order of their events."""
    query = select(findings.c.document).where(findings.c.incident_id == incident_id)
    for text in connection.execution_options(yield_per=_PAGE).scalars(
        query.order_by(findings.c.event_time, findings.c.finding_id)
    ):
        yield json.dumps(json.loads(text)).encode("ascii") + b"\n"


def timeline_lines(connection: Connection, incident_id: str | None = None) -> Iterator[bytes]:
    """Yield the rows of one incident's timeline, or of all, as they are chained."""
    query = select(timeline).order_by(timeline.c.seq)
    mine = query if incident_id is None else query.where(timeline.c.incident_id == incident_id)
    return _lines(connection, mine)


def audit_lines(connection: Connection, subjects: list[str] | None = None) -> Iterator[bytes]:
    """Yield the audit rows about `subjects`, or all, as they are chained."""
    query = select(audit).order_by(audit.c.seq)
    return _lines(connection, query if subjects is None else query.where(audit.c.subject.in_(subjects)))


def heads(connection: Connection) -> dict[str, object]:
    """Return the audit trail's newest row: whoever keeps it can tell later whether the end was cut off."""
    newest = connection.execute(
        select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).first()
    return {"audit_seq": newest.seq if newest else 0, "audit_hash": newest.hash if newest else ""}


def lost_since(connection: Connection, bundle: Path) -> list[str]:
    """Return the rows of a verified bundle that the database no longer has as they were then."""
    lost: list[str] = []
    with ZipFile(bundle) as archive:
        for name, table in ((AUDIT, audit), (TIMELINE, timeline)):
            with archive.open(name) as file:
                for line in file:
                    row = json.loads(line)
                    stands = connection.scalar(select(table.c.hash).where(table.c.seq == row["seq"]))
                    if stands != row["hash"]:
                        lost.append(
                            f"{name} row {row['seq']}: {'missing' if stands is None else 'changed'} since"
                        )
    return lost


def _lines(connection: Connection, query: Select[Any]) -> Iterator[bytes]:
    for row in connection.execution_options(yield_per=_PAGE).execute(query).mappings():
        yield _line(row)


def _line(row: Mapping[Any, Any]) -> bytes:
    return json.dumps(dict(row), sort_keys=True, allow_nan=False).encode("ascii") + b"\n"
