"""The latest state of an incident as one `davylamp.incident/1` object, for Kafka, the SIEM and exports."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, func, select

from connectors.store.error import UnknownRowError
from connectors.store.schema import (
    actions,
    campaign_findings,
    finding_entities,
    findings,
    incidents,
    proofs,
)
from detectors.event import Fields, Json
from detectors.finding import rfc3339

SCHEMA: Final = "davylamp.incident/1"
MAX_CHILDREN: Final = 500


def document(connection: Connection, incident_id: str) -> Fields:
    """Return the incident as it is now; at most 500 findings and entities, the earliest first.

    `finding_count` counts them all. Raises UnknownRowError.
    """
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).mappings().first()
    if row is None:
        raise UnknownRowError(f"no incident {incident_id}")
    mine = findings.c.incident_id == incident_id
    count = connection.execute(select(func.count()).select_from(findings).where(mine)).scalar_one()
    shown = connection.execute(
        select(findings.c.finding_id, findings.c.rule_id, findings.c.document)
        .where(mine)
        .order_by(findings.c.event_time, findings.c.finding_id)
        .limit(MAX_CHILDREN)
    ).all()
    attack = sorted({tag for _, _, text in shown for tag in json.loads(text)["attack"]})
    return {
        "schema": SCHEMA,
        "incident_id": row["id"],
        "number": row["number"],
        "key": row["key"],
        "version": row["version"],
        "updated_seq": row["updated_seq"],
        "status": row["status"],
        "level": row["level"],
        "title": row["title"],
        "playbook": {"id": row["playbook_id"], "version": row["playbook_version"]},
        "primary": {"type": row["primary_type"], "id": row["primary_id"]},
        "owner": row["owner"],
        "stale": row["stale"],
        "close_reason": row["close_reason"],
        "parent_id": row["parent_id"],
        **_times(row),
        "entities": _entities(connection, incident_id),
        "attack": list[Json](attack),
        "rule_ids": list[Json](sorted({rule for _, rule, _ in shown})),
        "finding_ids": list[Json]([finding for finding, _, _ in shown]),
        "finding_count": count,
        "campaign_ids": list[Json](_campaigns(connection, incident_id)),
        "held_finding_ids": list[Json](_held(connection, incident_id)),
        "actions": _actions(connection, incident_id),
    }


def _campaigns(connection: Connection, incident_id: str) -> list[str]:
    """The campaigns that hold a finding of this incident."""
    query = (
        select(campaign_findings.c.campaign_id)
        .join(findings, findings.c.finding_id == campaign_findings.c.finding_id)
        .where(findings.c.incident_id == incident_id)
        .distinct()
        .order_by(campaign_findings.c.campaign_id)
        .limit(MAX_CHILDREN)
    )
    return list(connection.scalars(query))


def _held(connection: Connection, campaign_id: str) -> list[str]:
    """What a campaign holds, each part of it in an incident of its own; empty for any other incident."""
    query = (
        select(findings.c.finding_id)
        .join(campaign_findings, campaign_findings.c.finding_id == findings.c.finding_id)
        .where(campaign_findings.c.campaign_id == campaign_id)
        .order_by(findings.c.event_time, findings.c.finding_id)
        .limit(MAX_CHILDREN)
    )
    return list(connection.scalars(query))


def _times(row: Any) -> Fields:
    names = ("first_event_at", "last_event_at", "detected_at", "opened_at")
    later = ("acked_at", "contained_at", "recovered_at", "closed_at")
    return {name: None if row[name] is None else rfc3339(row[name]) for name in (*names, *later)}


def _entities(connection: Connection, incident_id: str) -> Json:
    columns = (finding_entities.c.type, finding_entities.c.entity_id, finding_entities.c.role)
    rows = connection.execute(
        select(*columns)
        .join(findings, findings.c.finding_id == finding_entities.c.finding_id)
        .where(findings.c.incident_id == incident_id)
        .distinct()
        .order_by(*columns)
        .limit(MAX_CHILDREN)
    )
    return [{"type": kind, "id": entity, "role": role} for kind, entity, role in rows]


def _actions(connection: Connection, incident_id: str) -> Json:
    rows = connection.execute(
        select(
            actions.c.id,
            actions.c.verb,
            actions.c.target_key,
            actions.c.state,
            actions.c.auto,
            actions.c.needed,
            proofs.c.grade,
        )
        .join(proofs, proofs.c.action_id == actions.c.id, isouter=True)
        .where(actions.c.incident_id == incident_id)
        .order_by(actions.c.created_at, actions.c.id)
    )
    return [
        {
            "action_id": a,
            "verb": verb,
            "target": target,
            "state": state,
            "auto": auto,
            "needed": n,
            "grade": grade,
        }
        for a, verb, target, state, auto, n, grade in rows
    ]
