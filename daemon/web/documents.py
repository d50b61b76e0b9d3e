"""What the API answers: incidents, actions and proofs as JSON. Times are RFC 3339 UTC with milliseconds."""

from __future__ import annotations

from typing import Any

from connectors.store.debt_reading import DebtRow
from connectors.store.records import ActionRecord, IncidentRecord, IncidentRow, TargetState
from connectors.store.risk_reading import Campaign, Link
from daemon.web import consumers_view, plan_view
from daemon.web.narrative import deeds, waits
from detectors.finding import rfc3339


def time(at: float | None) -> str | None:
    """Return a time for JSON."""
    return None if at is None else rfc3339(at)


def incident_line(row: IncidentRow) -> dict[str, Any]:
    """Return one incident as lists have it."""
    return {
        "incident_id": row.id,
        "number": row.number,
        "status": row.status,
        "level": row.level,
        "title": row.title,
        "key": row.key,
        "primary": {"type": row.primary_type, "id": row.primary_id},
        "owner": row.owner,
        "playbook": {"id": row.playbook_id, "version": row.playbook_version},
        "stale": row.stale,
        "close_reason": row.close_reason,
        "updated_seq": row.updated_seq,
        **{
            name: time(getattr(row, name))
            for name in (
                *("first_event_at", "last_event_at", "detected_at", "opened_at"),
                *("acked_at", "contained_at", "recovered_at", "closed_at"),
            )
        },
    }


def incident(record: IncidentRecord, now: float) -> dict[str, Any]:
    """Return one incident with everything that its page shows."""
    acknowledged = bool(record.acknowledged_by) or record.row.acked_at is not None
    return {
        **incident_line(record.row),
        "machine_did": [
            {"at": time(deed.at), "text": deed.text, "tone": deed.tone} for deed in deeds(record)
        ],
        "waits_for": [
            {"who": wait.who, "text": wait.text}
            for wait in waits(record.row, record.actions, acknowledged, now)
        ],
        "acknowledged_by": [{"person": who, "at": time(at)} for who, at in record.acknowledged_by],
        "findings_total": record.findings_total,
        "findings": list(record.findings),
        "entities": [
            {"type": e.type, "id": e.id, "role": e.role, "findings": e.findings} for e in record.entities
        ],
        "actions": [action(item) for item in record.actions],
        "revocation_debt": [debt(row) for row in record.debts],
        "campaign": campaign(record.campaign),
        "campaigns": [link(one) for one in record.campaigns],
        "timeline_total": record.timeline_total,
        "timeline": [{"at": time(line.at), "kind": line.kind, "text": line.text} for line in record.timeline],
    }


def campaign(found: Campaign | None) -> dict[str, Any] | None:
    """Return what a campaign holds, None for an incident that is none."""
    if found is None:
        return None
    return {
        "tactics": list(found.tactics),
        "risk": round(found.risk, 1),
        "findings": [
            {
                "event_time": time(step.at),
                "level": step.level,
                "rule_id": step.rule_id,
                "title": step.title,
                "tactics": list(step.tactics),
                "incident_id": step.incident_id,
            }
            for step in found.steps
        ],
        "parts": [link(one) for one in found.parts],
    }


def link(one: Link) -> dict[str, Any]:
    """Return an incident as another names it."""
    return {
        "incident_id": one.id,
        "number": one.number,
        "level": one.level,
        "status": one.status,
        "title": one.title,
    }


def action(record: ActionRecord) -> dict[str, Any]:
    """Return one action with plan, guards, approvals, steps and proof."""
    return {
        "action_id": record.id,
        "incident_id": record.incident_id,
        "verb": record.verb,
        "target": {
            "key": record.target_key,
            "kind": record.target_kind,
            "mount": record.mount,
            "name": record.name,
            "class": record.classification,
            "owner": record.target_owner,
        },
        "mode": record.mode,
        "drill": record.drill,
        "auto": record.auto,
        "epoch": record.epoch,
        "state": record.state,
        "reason": record.reason,
        "requester": record.requester,
        "digest": record.digest,
        "needed": record.needed,
        "given": record.given,
        "plan": record.plan,
        "blast_radius": list(plan_view.blast_radius(record)),
        "undo": list(plan_view.undo(record)),
        "outlook": list(plan_view.outlook(record)),
        "guards": list(record.guards),
        "approvals": [
            {
                "approver": a.approver,
                "decision": a.decision,
                "digest": a.digest,
                "at": time(a.at),
                "via": a.via,
            }
            for a in record.approvals
        ],
        "steps": [
            {
                "name": s.name,
                "state": s.state,
                "attempt": s.attempt,
                "done_at": time(s.done_at),
                "note": s.note,
            }
            for s in record.steps
        ],
        "consumers": consumers_view.document(record),
        "created_at": time(record.created_at),
        "expires_at": time(record.expires_at),
        "started_at": time(record.started_at),
        "finished_at": time(record.finished_at),
        "grade": record.proof.get("grade") if record.proof else None,
        "proof": record.proof,
    }


def debt(row: DebtRow) -> dict[str, Any]:
    """Return one old credential that is, or was, not proven dead; named, never shown."""
    return {
        "action_id": row.action_id,
        "incident_id": row.incident_id,
        "target": row.target_key,
        "epoch": row.epoch,
        "credential": row.credential,
        "state": row.state,
        "since": time(row.since),
        "reason": row.reason,
        "looks": row.looks,
        "next_at": time(row.next_at),
        "ended_at": time(row.ended_at),
        "grade": row.grade,
        "settled_by": row.settled_by,
        "note": row.note,
    }


def target(state: TargetState) -> dict[str, Any]:
    """Return what is known of a target."""
    return {
        "key": state.key,
        "epoch": state.epoch,
        "rotated_at": time(state.rotated_at),
        "verified_at": time(state.verified_at),
        "drilled_at": time(state.drilled_at),
        "drill_passed": state.drill_passed,
        "drill_grade": state.drill_grade,
        "actions": state.actions,
    }
