"""What happened in an incident, in order: rows are only added, each chained to the one before by hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from connectors.store.canonical import GENESIS, chain, dumps, storable
from connectors.store.schema import timeline


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
    row["hash"] = chain(row["previous_hash"], _hashed(row))
    connection.execute(timeline.insert().values(row))


def verify(connection: Connection, incident_id: str) -> list[str]:
    """Return what is wrong with an incident's chain; empty when nothing is."""
    problems: list[str] = []
    expected = GENESIS
    rows = connection.execute(
        select(timeline).where(timeline.c.incident_id == incident_id).order_by(timeline.c.seq)
    ).mappings()
    for row in rows:
        if row["previous_hash"] != expected:
            problems.append(f"timeline row {row['seq']}: a row before it is missing or changed")
        if row["hash"] != chain(row["previous_hash"], _hashed(row)):
            problems.append(f"timeline row {row['seq']}: changed")
        expected = row["hash"]
    return problems


def _hashed(row: Mapping[Any, Any]) -> dict[str, object]:
    return {
        "incident_id": row["incident_id"],
        "at": row["at"],
        "kind": row["kind"],
        "text": row["text"],
        "data": json.loads(row["data"]),
    }
