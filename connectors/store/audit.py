"""Every decision, whoever made it: rows are only added, chained by hash, published to `davylamp.audit`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from connectors.store import outbox, places
from connectors.store.canonical import GENESIS, broken, chain, dumps, storable
from connectors.store.schema import audit
from detectors.event import Fields
from detectors.finding import rfc3339
from detectors.identifier import derive

TOPIC: Final = "davylamp.audit"
SCHEMA: Final = "davylamp.audit/1"
_PUBLISHER: Final = "davylamp-outbox"


def record(
    connection: Connection,
    at: float,
    actor: str,
    action: str,
    subject: str,
    outcome: str,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Add one decision. `outcome` is `allowed`, `refused`, `done` or `failed`; `detail` holds no secret.

    Every role that may write `audit` calls this; respond publishes the rows (`publish`).
    """
    row: dict[str, Any] = {
        "at": at,
        "actor": storable(actor, 256),
        "action": action,
        "subject": storable(subject, 1024),
        "outcome": outcome,
        "detail": dumps(dict(detail or {})),
    }
    row["previous_hash"] = connection.execute(
        select(audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).scalar()
    row["previous_hash"] = row["previous_hash"] or GENESIS
    row["hash"] = chain(row["previous_hash"], hashed(row))
    connection.execute(audit.insert().values(row))


def publish(connection: Connection, now: float, limit: int = 1000) -> int:
    """Put the rows not yet published into the outbox, in order; return how many. For respond only."""
    place = (TOPIC, 0)
    after = places.read(connection, _PUBLISHER).get(place, 1)
    rows = connection.execute(
        select(audit).where(audit.c.seq >= after).order_by(audit.c.seq).limit(limit)
    ).mappings()
    last, count = after, 0
    for row in rows:
        document = to_json(row)
        outbox.put(connection, TOPIC, str(document["id"]), document, now)
        last, count = row["seq"] + 1, count + 1
    if count:
        places.write(connection, _PUBLISHER, {place: last})
    return count


def verify(connection: Connection) -> list[str]:
    """Return what is wrong with the chain; empty when nothing is."""
    rows = connection.execute(select(audit).order_by(audit.c.seq)).mappings()
    return list(broken(rows, hashed, "audit"))


def to_json(row: Mapping[Any, Any]) -> Fields:
    """Return one decision as `davylamp.audit/1`; its id is derived from the chained hash."""
    return {
        "schema": SCHEMA,
        "id": derive("audit", row["hash"]),
        "seq": row["seq"],
        "at": rfc3339(row["at"]),
        "actor": row["actor"],
        "action": row["action"],
        "subject": row["subject"],
        "outcome": row["outcome"],
        "detail": json.loads(row["detail"]),
        "previous_hash": row["previous_hash"],
        "hash": row["hash"],
    }


def hashed(row: Mapping[Any, Any]) -> dict[str, object]:
    """Return what the hash of a row covers, besides the hash before it. Raises ValueError on no JSON."""
    return {
        "at": row["at"],
        "actor": row["actor"],
        "action": row["action"],
        "subject": row["subject"],
        "outcome": row["outcome"],
        "detail": json.loads(row["detail"]),
    }
