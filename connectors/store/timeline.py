"""What happened in an incident, in order: rows are only added, each chained to the one before by hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from connectors.store.canonical import GENESIS, broken, chain, dumps, storable
from connectors.store.schema import incidents, timeline


def append(
    connection: Connection,
    incident_id: str,
    at: float,
    kind: str,
    text: str,
    data: Mapping[str, object] | None = None,
) -> None:
    """Add one row. `at` is seconds (UTC); `data` must hold no secret."""
    previous = connection.execute(
        select(timeline.c.hash)
        .where(timeline.c.incident_id == incident_id)
        .order_by(timeline.c.seq.desc())
        .limit(1)
    ).scalar()
    row: dict[str, Any] = {
        "incident_id": incident_id,
        "at": at,
        "kind": kind,
        "text": storable(text),
        "data": dumps(dict(data or {})),
    }
    row["previous_hash"] = previous or GENESIS
    row["hash"] = chain(row["previous_hash"], hashed(row))
    connection.execute(timeline.insert().values(row))


def verify(connection: Connection, incident_id: str) -> list[str]:
    """Return what is wrong with an incident's chain; empty when nothing is."""
    rows = connection.execute(
        select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.seq)
    ).mappings()
    return list(broken(rows, hashed, "timeline"))


def orphaned(connection: Connection) -> list[str]:
    """Return the incidents that have lost all of their timeline, or that only their timeline still knows."""
    known = set(connection.scalars(select(incidents.c.id)))
    told = set(connection.scalars(select(timeline.c.incident_id).distinct()))
    return [f"incident {i}: its whole timeline is missing" for i in sorted(known - told)] + [
        f"incident {i}: missing, only its timeline is left" for i in sorted(told - known)
    ]


def hashed(row: Mapping[Any, Any]) -> dict[str, object]:
    """Return what the hash of a row covers, besides the hash before it. Raises ValueError on no JSON."""
    return {
        "incident_id": row["incident_id"],
        "at": row["at"],
        "kind": row["kind"],
        "text": row["text"],
        "data": json.loads(row["data"]),
    }
