"""Containments as proposals: one at a time for (incident, target), none while one stands."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from connectors.store import audit, releasing, timeline
from connectors.store.canonical import dumps
from connectors.store.planned_row import row_of, target_row
from connectors.store.schema import actions
from detectors.finding import Finding, rfc3339
from playbooks.action import TERMINAL
from playbooks.containment import CONTAIN, containment_plan
from playbooks.decision import Decision, actors_of
from playbooks.incident import action_id
from playbooks.policy import Policy
from playbooks.target import TargetRef


def propose(
    connection: Connection,
    incident: str,
    finding: Finding,
    decision: Decision,
    target: TargetRef,
    policy: Policy,
    now: float,
) -> str | None:
    """Propose to cut `target` off; return the action's id, or None when that is already asked or done."""
    until = releasing.standing_on(connection, target.key)
    if until is not None:
        text = f"{target.key} is contained until {rfc3339(until)}"
        timeline.append(connection, incident, now, "contained_already", text)
        return None
    epoch = target_row(connection, target.key)["epoch"]
    identifier = _next_id(connection, incident, target, epoch, finding)
    if identifier is None:
        return None
    plan = containment_plan(target, policy, decision.playbook, epoch=epoch, incident_id=incident)
    row = row_of(plan, target, policy, now, drill=False, requester="davylamp")
    row |= {"id": identifier, "incident_id": incident, "trigger_time": finding.event_time}
    row["actors"] = dumps(list(actors_of(finding)))
    connection.execute(insert(actions).values(row))
    data = {"action_id": identifier, "target": target.key, "digest": row["digest"]}
    text = f"proposes to cut off {target.mount}/{target.name}"
    timeline.append(connection, incident, now, "proposed", text, data)
    audit.record(connection, now, "davylamp", "action.propose", identifier, "done", data)
    return identifier


def _next_id(
    connection: Connection, incident: str, target: TargetRef, epoch: int, finding: Finding
) -> str | None:
    """Return the id of a new action, or None when one waits, runs, or was asked for after the event."""
    rows = connection.execute(
        select(actions.c.state, actions.c.created_at, actions.c.epoch).where(
            actions.c.incident_id == incident,
            actions.c.target_key == target.key,
            actions.c.verb == CONTAIN,
        )
    ).all()
    if any(row.state not in TERMINAL or finding.event_time <= row.created_at for row in rows):
        return None
    generation = sum(row.epoch == epoch for row in rows)
    return action_id(incident, CONTAIN, target.key, epoch, generation)
