"""Actions as rows: planned for a finding, one at a time for (incident, verb, target, epoch)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from connectors.store import audit, containing, timeline
from connectors.store.canonical import dumps
from connectors.store.planned_row import row_of, target_row
from connectors.store.schema import actions, findings
from connectors.store.schema import timeline as timeline_table
from detectors.finding import Finding, rfc3339
from playbooks.action import TERMINAL, UNSUCCESSFUL
from playbooks.decision import Decision, actors_of
from playbooks.incident import action_id
from playbooks.plan import ROTATE, rotation_plan
from playbooks.policy import Policy
from playbooks.target import TargetRef

_RECENT: Final = 200
MAX_ACTIONS: Final = 50
MAX_MISSING: Final = 8


def plan(
    connection: Connection, incident: str, finding: Finding, decision: Decision, policy: Policy, now: float
) -> list[str]:
    """Propose the actions that `finding` calls for; return the ids of the new ones.

    A finding older than the target's last rotation is satisfied by it and calls for nothing.
    """
    made: list[str] = []
    _tell_missing(connection, incident, decision.missing, now)
    for target in decision.targets:
        if _denied(connection, incident, target, policy, now):
            continue
        state = target_row(connection, target.key)
        if _satisfied(connection, incident, finding, state, policy, now):
            continue
        identifier = _next_id(connection, incident, target, state["epoch"], finding)
        if identifier is not None and _has_room(connection, incident, now):
            _propose(connection, identifier, incident, target, state["epoch"], finding, decision, policy, now)
            made.append(identifier)
    for target in decision.containments:
        if not _denied(connection, incident, target, policy, now) and _has_room(connection, incident, now):
            cut = containing.propose(connection, incident, finding, decision, target, policy, now)
            made += [cut] if cut is not None else []
    return made


def _denied(connection: Connection, incident: str, target: TargetRef, policy: Policy, now: float) -> bool:
    """Return whether the deny list forbids `target`; the timeline names the entry, once."""
    entry = policy.denial(target)
    if entry is None:
        return False
    text = f"{target.key} is on the deny list: {entry}"
    told = select(timeline_table.c.seq).where(
        timeline_table.c.incident_id == incident,
        timeline_table.c.kind == "denied",
        timeline_table.c.text == text,
    )
    if connection.execute(told.limit(1)).first() is None:
        timeline.append(connection, incident, now, "denied", text)
    return True


def _tell_missing(connection: Connection, incident: str, lines: Sequence[str], now: float) -> None:
    """Write what no target can act on, each line once, and at most `MAX_MISSING` rows an incident."""
    rows = select(timeline_table.c.data).where(
        timeline_table.c.incident_id == incident, timeline_table.c.kind == "not_proposed"
    )
    told = [json.loads(data)["missing"] for data in connection.execute(rows).scalars()]
    known = {line for one in told for line in one}
    fresh = [line for line in lines if line not in known]
    if fresh and len(told) < MAX_MISSING:
        text = f"nothing is proposed for: {'; '.join(fresh)}"
        timeline.append(connection, incident, now, "not_proposed", text, {"missing": fresh})


def _has_room(connection: Connection, incident: str, now: float) -> bool:
    """Return whether the incident may have one more action; ids in events must not make rows without end."""
    number = connection.execute(
        select(func.count()).select_from(actions).where(actions.c.incident_id == incident)
    ).scalar_one()
    if number >= MAX_ACTIONS:
        _tell_missing(connection, incident, [f"more than {MAX_ACTIONS} actions of one incident"], now)
    return number < MAX_ACTIONS


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
