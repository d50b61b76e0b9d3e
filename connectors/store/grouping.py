"""Which incident a finding belongs to: one open incident a key, and context that shares an entity.

The result does not depend on the order of arrival: context goes to the matching open incident with the
smallest key, and an incident that opens later takes over the context that is its own.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, tuple_, update

from connectors.store import findings as kept
from connectors.store import timeline
from connectors.store.canonical import storable
from connectors.store.schema import OPEN_STATUSES, finding_entities, findings, incidents
from detectors.finding import Finding
from detectors.level import parse_level, rank
from playbooks.decision import HUBS, OPENING_LEVEL, Decision
from playbooks.incident import incident_id

_MAX_CONTEXT: Final = 500
_CONTEXT: Final = "context"


def open_incident(connection: Connection, finding: Finding, decision: Decision) -> Any | None:
    """Return the open incident that `finding` belongs to: that of what it confirms, else that of its key."""
    opened = incidents.c.status.in_(OPEN_STATUSES)
    if finding.confirms:
        confirmed = (
            select(incidents)
            .join(findings, findings.c.incident_id == incidents.c.id)
            .where(findings.c.finding_id.in_(list(finding.confirms)[:100]), opened)
            .where(incidents.c.playbook_id == decision.playbook_id)
            .order_by(incidents.c.key)
            .limit(1)
        )
        row = connection.execute(confirmed).mappings().first()
        if row is not None:
            return row
    return (
        connection.execute(select(incidents).where(incidents.c.key == decision.key, opened))
        .mappings()
        .first()
    )


def open_new(connection: Connection, finding: Finding, decision: Decision, now: float) -> str:
    """Insert the incident that `finding` opens; return its id. Its version counts from `publish`."""
    identifier = incident_id(decision.key, finding.finding_id)
    number = connection.execute(select(func.coalesce(func.max(incidents.c.number), 0))).scalar_one() + 1
    kind, name = decision.primary
    connection.execute(
        insert(incidents).values(
            id=identifier,
            number=number,
            key=decision.key,
            status="new",
            level=decision.level,
            title=storable(decision.title, 300),
            playbook_id=decision.playbook_id,
            playbook_version=decision.playbook_version,
            primary_type=kind,
            primary_id=name,
            owner=next((target.owner for target in decision.targets), None),
            first_event_at=finding.first_time,
            last_event_at=finding.last_time,
            detected_at=now,
            opened_at=now,
            stale=decision.stale,
            version=0,
            updated_seq=0,
        )
    )
    data = {"key": decision.key, "playbook": decision.playbook_id, "stale": decision.stale}
    timeline.append(connection, identifier, now, "opened", f"opened: {decision.title}", data)
    return identifier


def join(connection: Connection, row: Any, finding: Finding, decision: Decision, now: float) -> bool:
    """Widen an open incident by `finding`; return whether its level rose or it is no longer stale."""
    before, after = parse_level(row["level"]), decision.level
    rose = rank(after) > rank(before)
    fresh_again = row["stale"] and not decision.stale
    connection.execute(
        update(incidents)
        .where(incidents.c.id == row["id"])
        .values(
            level=after if rose else before,
            first_event_at=min(row["first_event_at"], finding.first_time),
            last_event_at=max(row["last_event_at"], finding.last_time),
            stale=row["stale"] and decision.stale,
        )
    )
    if rose:
        timeline.append(connection, row["id"], now, "level", f"{before} rises to {after}")
    return rose or fresh_again


def note(connection: Connection, incident: str, finding: Finding, now: float) -> None:
    """Write the timeline row of a finding."""
    data = {"finding_id": finding.finding_id, "rule_id": finding.rule_id, "level": finding.level}
    data["event_time"] = str(finding.event_time)
    timeline.append(connection, incident, now, "finding", f"{finding.title}: {finding.explain}", data)


def home_of(connection: Connection, finding: Finding, window_s: float) -> str | None:
    """Return the open incident that shares an entity with a context finding, near in time, or None."""
    shared = _shared(finding)
    if not shared:
        return None
    near = findings.c.event_time.between(finding.event_time - window_s, finding.event_time + window_s)
    row = connection.execute(
        select(incidents.c.id)
        .join(findings, findings.c.incident_id == incidents.c.id)
        .join(finding_entities, finding_entities.c.finding_id == findings.c.finding_id)
        .where(
            tuple_(finding_entities.c.type, finding_entities.c.entity_id).in_(shared),
            incidents.c.status.in_(OPEN_STATUSES),
            findings.c.disposition == "incident",
            near,
        )
        .order_by(incidents.c.key)
        .limit(1)
    ).first()
    return None if row is None else row[0]


def adopt(connection: Connection, row: Any, finding: Finding, window_s: float) -> set[str]:
    """Give the incident the context that shares an entity with `finding`; return who lost some."""
    shared = _shared(finding)
    if not shared or rank(finding.level) < rank(OPENING_LEVEL):
        return set()
    near = findings.c.event_time.between(finding.event_time - window_s, finding.event_time + window_s)
    rows = connection.execute(
        select(findings.c.finding_id, findings.c.incident_id, incidents.c.key)
        .join(finding_entities, finding_entities.c.finding_id == findings.c.finding_id)
        .join(incidents, incidents.c.id == findings.c.incident_id, isouter=True)
        .where(
            tuple_(finding_entities.c.type, finding_entities.c.entity_id).in_(shared),
            findings.c.disposition == _CONTEXT,
            near,
        )
        .distinct()
        .order_by(findings.c.finding_id)
        .limit(_MAX_CONTEXT)
    ).all()
    taken = [
        (f, owner) for f, owner, key in rows if owner != row["id"] and (owner is None or key > row["key"])
    ]
    kept.assign(connection, [f for f, _ in taken], row["id"])
    return {owner for _, owner in taken if owner is not None}


def _shared(finding: Finding) -> list[tuple[str, str]]:
    return sorted({(e.type, e.id) for e in finding.entities if e.type not in HUBS})
