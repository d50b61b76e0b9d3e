"""What people decided about proposals, beside what auto would have done (shadow mode)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from connectors.store.schema import actions, approvals
from playbooks.plan import ROTATE
from playbooks.promotion import SHADOW
from playbooks.shadow import Judged

MAX_ACTIONS = 100_000


def judged(connection: Connection, since: float) -> Sequence[Judged]:
    """Return every proposal made since `since` (seconds, UTC) that people decided about, or let lapse.

    Drills and what began by itself say nothing here.
    """
    rows = connection.execute(
        select(
            actions.c.id,
            actions.c.playbook_id,
            actions.c.created_at,
            actions.c.state,
            actions.c.guards,
            actions.c.digest,
        )
        .where(
            actions.c.verb == ROTATE,
            actions.c.drill.is_(False),
            actions.c.auto.is_(False),
            actions.c.incident_id.is_not(None),
            actions.c.created_at >= since,
        )
        .order_by(actions.c.created_at, actions.c.id)
        .limit(MAX_ACTIONS)
    ).mappings()
    return [Judged(r["playbook_id"], r["created_at"], _would(r), _said(connection, r)) for r in rows]


def _would(row: Mapping[Any, Any]) -> bool:
    return any(said["name"] == SHADOW and said["passed"] for said in json.loads(row["guards"]))


def _said(connection: Connection, row: Mapping[Any, Any]) -> str:
    """Return approved, rejected, or nothing: only words about the plan as it stood last count."""
    words = connection.execute(
        select(approvals.c.decision).where(
            approvals.c.action_id == row["id"], approvals.c.digest == row["digest"]
        )
    ).scalars()
    given = set(words)
    if row["state"] == "rejected" and "reject" in given:
        return "rejected"
    begun = row["state"] not in ("proposed", "rejected", "expired", "superseded", "satisfied", "cancelled")
    return "approved" if begun and "approve" in given else ""
