"""Actions as rows: planned for a finding, one at a time for (incident, verb, target, epoch)."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from connectors.store import audit, timeline
from connectors.store.canonical import dumps
from connectors.store.schema import actions, findings, targets
from detectors.event import Fields
from detectors.finding import Finding, rfc3339
from playbooks.action import TERMINAL, UNSUCCESSFUL
from playbooks.approval import needed
from playbooks.decision import Decision, actors_of
from playbooks.incident import action_id, plan_digest
from playbooks.plan import ROTATE, rotation_plan
from playbooks.policy import Policy
from playbooks.target import TargetRef

_RECENT: Final = 200


def plan(
    connection: Connection, incident: str, finding: Finding, decision: Decision, policy: Policy, now: float
) -> list[str]:
    """Propose the actions that `finding` calls for; return the ids of the new ones.

    A finding older than the target's last rotation is satisfied by it and calls for nothing.
    """
    made: list[str] = []
    for target in decision.targets:
        if target.key in policy.denied:
            timeline.append(connection, incident, now, "denied", f"{target.key} is on the deny list")
            continue
        state = target_row(connection, target.key)
        if _satisfied(connection, incident, finding, state, policy, now):
            continue
        identifier = _next_id(connection, incident, target, state["epoch"], finding)
        if identifier is not None:
            _propose(connection, identifier, incident, target, state["epoch"], finding, decision, policy, now)
            made.append(identifier)
    return made


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
    proposing = policy.mode != "auto" and not drill
    return {
        "verb": ROTATE,
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
        "needed": needed(target.classification, ROTATE, proposing=proposing),
        "requester": requester,
        "state": "proposed",
        "reason": "",
        "created_at": now,
        "expires_at": now + policy.times.approval_expiry_s,
    }


def _satisfied(
    connection: Connection, incident: str, finding: Finding, state: Any, policy: Policy, now: float
) -> bool:
    rotated_at = state["rotated_at"]
    if rotated_at is None or finding.event_time >= rotated_at:
        return False
    if finding.event_time >= rotated_at - policy.times.skew_s and not _told_before(
        connection, incident, finding
    ):
        return False
    text = f"satisfied: {state['key']} was rotated at {rfc3339(rotated_at)}, after the event"
    timeline.append(connection, incident, now, "satisfied", text, {"finding_id": finding.finding_id})
    return True


def _told_before(connection: Connection, incident: str, finding: Finding) -> bool:
    """Return whether every event of `finding` is already part of the incident: it says nothing new."""
    rows = connection.execute(
        select(findings.c.document)
        .where(findings.c.incident_id == incident, findings.c.finding_id != finding.finding_id)
        .order_by(findings.c.event_time.desc())
        .limit(_RECENT)
    ).scalars()
    told = {event_id for text in rows for event_id in json.loads(text)["event_ids"]}
    return bool(finding.event_ids) and set(finding.event_ids) <= told


def _next_id(
    connection: Connection, incident: str, target: TargetRef, epoch: int, finding: Finding
) -> str | None:
    """Return the id of a new action, or None when one waits, runs, or ended after the event."""
    rows = connection.execute(
        select(actions.c.state, actions.c.created_at)
        .where(
            actions.c.incident_id == incident,
            actions.c.target_key == target.key,
            actions.c.epoch == epoch,
            actions.c.verb == ROTATE,
        )
        .order_by(actions.c.created_at)
    ).all()
    if any(state not in TERMINAL for state, _ in rows):
        return None
    if rows and (rows[-1][0] not in UNSUCCESSFUL or finding.event_time <= rows[-1][1]):
        return None
    return action_id(incident, ROTATE, target.key, epoch, len(rows))


def _propose(
    connection: Connection,
    identifier: str,
    incident: str,
    target: TargetRef,
    epoch: int,
    finding: Finding,
    decision: Decision,
    policy: Policy,
    now: float,
) -> None:
    document = rotation_plan(target, policy, decision.playbook, epoch=epoch, incident_id=incident)
    row = row_of(document, target, policy, now, drill=False, requester="davylamp")
    row |= {"id": identifier, "incident_id": incident, "trigger_time": finding.event_time}
    row["actors"] = dumps(list(actors_of(finding)))
    connection.execute(insert(actions).values(row))
    data = {"action_id": identifier, "target": target.key, "digest": row["digest"]}
    timeline.append(
        connection, incident, now, "proposed", f"proposes to rotate {target.mount}/{target.name}", data
    )
    audit.record(connection, now, "davylamp", "action.propose", identifier, "done", data)
