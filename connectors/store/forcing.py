"""Who agreed to cut off which consumers of an action: words that the web role wrote into the audit chain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, select

from connectors.store.database import Database
from connectors.store.guarding import asked_of
from connectors.store.schema import actions, audit
from playbooks import approval, forcing
from playbooks.forcing import ForceVote
from playbooks.policy import Policy
from playbooks.target import DataClass

DEED = "action.force"
_MAX_VOTES = 200


def agreed(database: Database, action_id: str, policy: Policy) -> frozenset[str]:
    """Return the consumers that enough people agreed to cut off. Raises StoreError."""
    with database.reading() as connection:
        given = votes(connection, action_id)
        if not given:
            return frozenset()
        row = connection.execute(select(actions).where(actions.c.id == action_id)).mappings().one()
        asked = asked_of(connection, row)
    wanted = needed(row["classification"], row["verb"])
    return forcing.agreed(asked, given, policy.approvers, wanted)


def needed(classification: str, verb: str) -> int:
    """Return how many people it takes: as many as the action, at least one."""
    return approval.needed(cast(DataClass, classification), verb, proposing=True)


def votes(connection: Connection, action_id: str) -> Sequence[ForceVote]:
    """Return the words given about an action, the last 200."""
    rows = connection.execute(
        select(audit.c.actor, audit.c.at, audit.c.detail)
        .where(audit.c.action == DEED, audit.c.subject == action_id, audit.c.outcome == "allowed")
        .order_by(audit.c.seq.desc())
        .limit(_MAX_VOTES)
    ).all()
    return [vote for row in rows if (vote := _vote(row.actor, row.at, row.detail)) is not None]


def _vote(actor: str, at: float, text: str) -> ForceVote | None:
    detail: Any = json.loads(text)
    names: Any = detail.get("cut_off") if isinstance(detail, dict) else None
    if not isinstance(names, list):
        return None
    return ForceVote(actor, str(detail.get("digest")), frozenset(map(str, names)), at)
