"""What people may see: incidents, actions and targets read from the tables of record, bounded and typed.

Every function takes a connection from `Database.reading()` and only selects. Times are seconds since
the epoch (UTC). Lists are bounded by the caller, so that one storm cannot make a page grow without end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, case, func, select

from connectors.store import debt_reading, risk_reading, schema
from connectors.store.records import (
    ActionRecord,
    Approval,
    Delivery,
    EntityCount,
    IncidentRecord,
    IncidentRow,
    Queue,
    Step,
    TargetState,
    TimelineEntry,
)

Query: TypeAlias = Select[*tuple[Any, ...]]

BUSY_STATES: Final = ("queued", "executing", "verifying", "rolling_back")
_LEVEL_RANK = case(
    {"critical": 4, "high": 3, "medium": 2, "low": 1, "informational": 0},
    value=schema.incidents.c.level,
    else_=0,
)


def queue(connection: Connection, *, limit: int = 100, closed_limit: int = 20) -> Queue:
    """Return the front page's rows: open incidents by level then age, recently closed ones, live actions."""
    table = schema.incidents
    is_open = table.c.status.in_(schema.OPEN_STATUSES)
    opened = _incidents(
        connection, select(table).where(is_open).order_by(_LEVEL_RANK.desc(), table.c.opened_at).limit(limit)
    )
    closed = _incidents(
        connection, select(table).where(~is_open).order_by(table.c.updated_seq.desc()).limit(closed_limit)
    )
    counts = select(table.c.level, func.count()).where(is_open).group_by(table.c.level)
    by_level = {str(level): int(number) for level, number in connection.execute(counts)}
    closed_total = connection.scalar(select(func.count()).select_from(table).where(~is_open)) or 0
    acts = schema.actions
    live = acts.c.state.in_(("proposed", "approved", "needs_human", *BUSY_STATES))
    mine = acts.c.incident_id.in_([row.id for row in opened])
    rows = select(acts).where(live | mine).order_by(acts.c.created_at.desc()).limit(limit * 3)
    return Queue(
        open=opened,
        open_total=sum(by_level.values()),
        by_level=by_level,
        closed=closed,
        closed_total=closed_total,
        actions=_actions(connection, rows, deep=False),
        switches=switches(connection),
    )


def incidents_since(
    connection: Connection, *, state: str = "all", since_seq: int = 0, limit: int = 100
) -> Sequence[IncidentRow]:
    """Return incidents with `updated_seq` above `since_seq` in that order; `state`: open, closed or all."""
    table = schema.incidents
    query = select(table).where(table.c.updated_seq > since_seq).order_by(table.c.updated_seq).limit(limit)
    is_open = table.c.status.in_(schema.OPEN_STATUSES)
    if state != "all":
        query = query.where(is_open if state == "open" else ~is_open)
    return _incidents(connection, query)


def incident(
    connection: Connection, incident_id: str, *, findings: int = 20, timeline: int = 60, entities: int = 40
) -> IncidentRecord | None:
    """Return one incident with at most so many findings, timeline lines (the newest) and entities."""
    rows = _incidents(connection, select(schema.incidents).where(schema.incidents.c.id == incident_id))
    if not rows:
        return None
    found, line = schema.findings, schema.timeline
    mine = found.c.incident_id == incident_id
    documents = connection.scalars(
        select(found.c.document).where(mine).order_by(found.c.event_time.desc()).limit(findings)
    ).all()
    lines = connection.execute(
        select(line.c.at, line.c.kind, line.c.text)
        .where(line.c.incident_id == incident_id)
        .order_by(line.c.seq.desc())
        .limit(timeline)
    ).all()
    acts = schema.actions
    return IncidentRecord(
        row=rows[0],
        findings=[_object(text) for text in documents],
        findings_total=connection.scalar(select(func.count()).select_from(found).where(mine)) or 0,
        entities=_entities(connection, incident_id, entities),
        timeline=[TimelineEntry(at, kind, text) for at, kind, text in reversed(lines)],
        timeline_total=connection.scalar(
            select(func.count()).select_from(line).where(line.c.incident_id == incident_id)
        )
        or 0,
        actions=_actions(
            connection,
            select(acts).where(acts.c.incident_id == incident_id).order_by(acts.c.created_at).limit(20),
            deep=True,
        ),
        acknowledged_by=_acknowledged(connection, incident_id),
        notes=_notes(connection, incident_id),
        deliveries=_deliveries(connection, incident_id),
        debts=debt_reading.of_incident(connection, incident_id),
        campaign=risk_reading.campaign_of(connection, incident_id),
        campaigns=risk_reading.campaigns_holding(connection, incident_id),
    )


def action(connection: Connection, action_id: str) -> ActionRecord | None:
    """Return one action with steps, approvals and proof, or None."""
    found = _actions(connection, select(schema.actions).where(schema.actions.c.id == action_id), deep=True)
    return found[0] if found else None


def actions(connection: Connection, *, limit: int = 100) -> Sequence[ActionRecord]:
    """Return the newest actions with their approvals and proofs."""
    query = select(schema.actions).order_by(schema.actions.c.created_at.desc()).limit(limit)
    return _actions(connection, query, deep=True)


def incident_entities(connection: Connection, incident_id: str) -> Sequence[EntityCount]:
    """Return every entity of the incident (at most 1,000): the subjects that may not approve."""
    return _entities(connection, incident_id, 1000)


def acknowledged(connection: Connection, incident_ids: Sequence[str]) -> dict[str, str]:
    """Return incident id -> the first person who acknowledged it."""
    table = schema.acknowledgements
    query = select(table.c.incident_id, table.c.person).where(table.c.incident_id.in_(incident_ids))
    rows = connection.execute(query.order_by(table.c.at.desc()))
    return {str(incident_id): str(person) for incident_id, person in rows}


def switches(connection: Connection) -> Sequence[tuple[str, str, float]]:
    """Return the engaged kill switches as (name, by, at), whether a page or a command engaged them."""
    found: list[tuple[str, str, float]] = []
    for table in (schema.switches, schema.page_switches):
        query = select(table.c.name, table.c.by, table.c.at).where(table.c.engaged).order_by(table.c.name)
        found += [(name, by, at) for name, by, at in connection.execute(query)]
    return found


def page_switches(connection: Connection) -> frozenset[str]:
    """Return the names that a page engaged, and that a page may release."""
    table = schema.page_switches
    return frozenset(connection.execute(select(table.c.name).where(table.c.engaged)).scalars())


def target(connection: Connection, key: str) -> TargetState:
    """Return what is known of one target; a target never touched has epoch 0."""
    table, drill = schema.targets, schema.drills
    row = connection.execute(select(table).where(table.c.key == key)).mappings().first()
    last = connection.execute(
        select(drill.c.at, drill.c.passed, drill.c.grade)
        .where(drill.c.target_key == key)
        .order_by(drill.c.at.desc())
        .limit(1)
    ).first()
    states = connection.execute(
        select(schema.actions.c.state, func.count())
        .where(schema.actions.c.target_key == key)
        .group_by(schema.actions.c.state)
    )
    known: dict[str, Any] = dict(row) if row else {"key": key}
    return TargetState(
        **known,
        drilled_at=last.at if last else None,
        drill_passed=bool(last.passed) if last else None,
        drill_grade=last.grade if last else None,
        actions={str(state): int(number) for state, number in states},
    )


def _incidents(connection: Connection, query: Query) -> list[IncidentRow]:
    return [IncidentRow(**row) for row in connection.execute(query).mappings()]


def _actions(connection: Connection, query: Query, *, deep: bool) -> list[ActionRecord]:
    rows = list(connection.execute(query).mappings())
    ids = [row["id"] for row in rows]
    approvals = _group(connection, select(schema.approvals).where(schema.approvals.c.action_id.in_(ids)))
    steps = _group(connection, _steps_of(ids)) if deep else {}
    proofs = _group(connection, select(schema.proofs).where(schema.proofs.c.action_id.in_(ids)))
    wanted = set(ActionRecord.__dataclass_fields__) - {"approvals", "steps", "proof"}
    out: list[ActionRecord] = []
    for row in rows:
        values = {name: row[name] for name in wanted}
        values |= {"plan": _object(row["plan"])}
        values |= {"guards": _objects(row["guards"]), "actors": _list(row["actors"])}
        proof = proofs.get(row["id"])
        out.append(
            ActionRecord(
                **values,
                approvals=[Approval(**item) for item in approvals.get(row["id"], [])],
                steps=[_step(item) for item in steps.get(row["id"], [])],
                proof=_object(proof[0]["document"]) if proof else None,
            )
        )
    return out


def _steps_of(ids: Sequence[str]) -> Query:
    step = schema.steps
    columns = (step.c.action_id, step.c.ordinal, step.c.name, step.c.state, step.c.attempt)
    query = select(*columns, step.c.done_at, step.c.note, step.c.checks, step.c.context)
    return query.where(step.c.action_id.in_(ids)).order_by(step.c.ordinal)


def _step(row: dict[str, Any]) -> Step:
    values = {name: row[name] for name in ("ordinal", "name", "state", "attempt", "done_at", "note")}
    return Step(**values, checks=_objects(row["checks"]), consumers=_consumers(row))


def _consumers(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the step that waits for consumers knows of them: now, or when it was done."""
    if row["name"] != "consumers":
        return {}
    context = _object(row["context"])
    left = context.get("state")
    found = left.get("consumers") if isinstance(left, dict) and left else context.get("kept")
    return found if isinstance(found, dict) else {}


def _group(connection: Connection, query: Query) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        out.setdefault(row["action_id"], []).append(dict(row))
    return out


def _entities(connection: Connection, incident_id: str, limit: int) -> list[EntityCount]:
    entity, found = schema.finding_entities, schema.findings
    number = func.count()
    rows = connection.execute(
        select(entity.c.type, entity.c.entity_id, entity.c.role, number)
        .join(found, found.c.finding_id == entity.c.finding_id)
        .where(found.c.incident_id == incident_id)
        .group_by(entity.c.type, entity.c.entity_id, entity.c.role)
        .order_by(number.desc(), entity.c.type, entity.c.entity_id)
        .limit(limit)
    )
    return [EntityCount(*row) for row in rows]


def _acknowledged(connection: Connection, incident_id: str) -> list[tuple[str, float]]:
    table = schema.acknowledgements
    query = select(table.c.person, table.c.at).where(table.c.incident_id == incident_id)
    return [(person, at) for person, at in connection.execute(query.order_by(table.c.at))]


def _notes(connection: Connection, incident_id: str) -> list[tuple[str, float, str]]:
    table = schema.notes
    query = select(table.c.author, table.c.at, table.c.text).where(table.c.incident_id == incident_id)
    return [(who, at, text) for who, at, text in connection.execute(query.order_by(table.c.at).limit(50))]


def _deliveries(connection: Connection, incident_id: str) -> list[Delivery]:
    table = schema.deliveries
    columns = (table.c.notifier, table.c.state, table.c.attempts, table.c.delivered_at)
    rows = connection.execute(select(*columns).where(table.c.incident_id == incident_id).limit(20))
    return [Delivery(*row) for row in rows]


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _list(text: str) -> list[Any]:
    value = json.loads(text)
    return value if isinstance(value, list) else []


def _objects(text: str) -> Sequence[dict[str, Any]]:
    return [item for item in _list(text) if isinstance(item, dict)]
