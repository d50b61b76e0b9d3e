"""A waiting action's plan, written anew when configuration or playbook changed: it is approved anew."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from connectors.store import audit, timeline
from connectors.store.canonical import dumps
from connectors.store.schema import actions
from detectors.event import Fields
from playbooks.containment import CONTAIN, containment_plan
from playbooks.incident import plan_digest
from playbooks.plan import rotation_plan
from playbooks.playbook import Playbook
from playbooks.policy import Policy
from playbooks.schedule import Routine
from playbooks.target import TargetRef


def refresh(connection: Connection, row: Any, policy: Policy, now: float) -> bool:
    """Return whether the plan of the proposed action `row` was written anew."""
    target = policy.target(row["target_key"])
    playbook = policy.playbooks.get(row["playbook_id"])
    if target is None or playbook is None:
        return False
    plan = _plan(row, target, policy, playbook)
    digest = plan_digest(plan)
    if digest == row["digest"]:
        return False
    values = {
        "plan": dumps(plan),
        "digest": digest,
        "mode": plan["mode"],
        "classification": target.classification,
        "target_owner": target.owner,
        "playbook_version": playbook.version,
    }
    connection.execute(update(actions).where(actions.c.id == row["id"]).values(values))
    data = {"before": row["digest"], "after": digest}
    audit.record(connection, now, "davylamp", "action.replan", row["id"], "done", data)
    if row["incident_id"] is not None:
        text = "the plan changed; approve it anew"
        timeline.append(connection, row["incident_id"], now, "replanned", text, data)
    return True


def _plan(row: Any, target: TargetRef, policy: Policy, playbook: Playbook) -> Fields:
    epoch, incident = row["epoch"], row["incident_id"]
    if row["verb"] == CONTAIN:
        return containment_plan(target, policy, playbook, epoch=epoch, incident_id=incident)
    routine = Routine.of(row["requester"], row["trigger_time"], row["mode"])
    return rotation_plan(
        target,
        policy,
        playbook,
        epoch=epoch,
        incident_id=incident,
        drill=row["drill"],
        routine=routine,
    )
