"""The rows that planned actions, drills and containments share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from connectors.store.canonical import dumps
from connectors.store.schema import targets
from detectors.event import Fields
from playbooks.approval import needed
from playbooks.containment import CONTAIN
from playbooks.incident import plan_digest
from playbooks.policy import Policy
from playbooks.target import TargetRef


def target_row(connection: Connection, key: str) -> Any:
    """Return the row of a target; it is made with epoch 0 when it is not there."""
    row = connection.execute(select(targets).where(targets.c.key == key)).mappings().first()
    if row is None:
        connection.execute(insert(targets).values(key=key, epoch=0))
        row = connection.execute(select(targets).where(targets.c.key == key)).mappings().one()
    return row


def row_of(
    plan: Fields, target: TargetRef, policy: Policy, now: float, *, drill: bool, requester: str
) -> dict[str, Any]:
    """Return the columns that a drill and a planned action share."""
    playbook: Any = plan["playbook"] or {"id": "none", "version": "0.0.0"}
    verb = str(plan["verb"])
    proposing = verb == CONTAIN or (policy.mode != "auto" and not drill)
    return {
        "verb": verb,
        "target_key": target.key,
        "target_kind": target.kind,
        "mount": target.mount,
        "name": target.name,
        "classification": target.classification,
        "target_owner": target.owner,
        "mode": plan["mode"],
        "drill": drill,
        "playbook_id": playbook["id"],
        "playbook_version": playbook["version"],
        "epoch": plan["epoch"],
        "plan": dumps(plan),
        "digest": plan_digest(plan),
        "needed": needed(target.classification, verb, proposing=proposing),
        "requester": requester,
        "state": "proposed",
        "reason": "",
        "created_at": now,
        "expires_at": now + policy.times.approval_expiry_s,
    }
