"""What the guards look at, read from the tables in the transaction that moves the action."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

from sqlalchemy import Connection, func, select

from connectors.store import exposure, meeting, switches
from connectors.store.planned_row import target_row
from connectors.store.schema import actions, approvals, drills, finding_entities, findings
from detectors.event import Json
from playbooks.approval import Asked, Vote, tally
from playbooks.guard import HOUR_S, GuardContext, Recent, TargetState
from playbooks.policy import Policy
from playbooks.schedule import REQUESTER
from playbooks.target import DataClass


def context_of(connection: Connection, row: Any, policy: Policy, now: float) -> GuardContext:
    """Return what the guards of action `row` look at, at `now` (seconds, UTC)."""
    target = policy.target(row["target_key"])
    asked = asked_of(connection, row)
    return GuardContext(
        now=now,
        policy=policy,
        playbook=policy.playbooks.get(row["playbook_id"]),
        target=target,
        target_key=row["target_key"],
        asked=asked,
        tally=tally(asked, votes(connection, row["id"]), policy.approvers),
        drill=row["drill"],
        epoch=row["epoch"],
        trigger_time=row["trigger_time"],
        actors=_actors(row),
        state=_state(connection, row["target_key"], f"{row['target_kind']}:{row['mount']}/{_base(row)}"),
        engaged=switches.engaged(connection),
        signals=() if row["drill"] else meeting.sources(connection, row, policy),
        busy=exposure.busy_with(connection, row),
        recent=_recent(connection, row, now),
        targets_of_incident=_targets_of_incident(connection, row),
        mode_of_action="orderly" if row["mode"] == "orderly" else "contain",
        at_work=exposure.at_work(connection, row, now),
        kind_targets=exposure.kind_targets(connection, row, now),
        kind_size=sum(t.kind == row["target_kind"] for t in (*policy.targets, *policy.containable)),
        siblings=exposure.siblings(connection, row),
        failures=exposure.failures(connection, row["verb"], policy.safety, now),
    )


def asked_of(connection: Connection, row: Any) -> Asked:
    """Return what people are asked to approve, for `playbooks.approval`. `row` is a row of `actions`."""
    subjects = connection.execute(
        select(finding_entities.c.entity_id)
        .join(findings, findings.c.finding_id == finding_entities.c.finding_id)
        .where(findings.c.incident_id == row["incident_id"])
        .distinct()
    ).scalars()
    return Asked(
        verb=row["verb"],
        classification=cast(DataClass, row["classification"]),
        owner=row["target_owner"],
        requester=row["requester"],
        digest=row["digest"],
        subjects=frozenset(subjects) if row["incident_id"] else frozenset(),
        expires_at=row["expires_at"],
        state=row["state"],
    )


def votes(connection: Connection, action_id: str) -> list[Vote]:
    """Return every decision about an action, whatever its digest."""
    rows = connection.execute(select(approvals).where(approvals.c.action_id == action_id)).mappings()
    return [
        Vote(r["approver"], cast(Literal["approve", "reject"], r["decision"]), r["digest"], r["at"])
        for r in rows
        if r["decision"] in ("approve", "reject")
    ]


def _base(row: Any) -> str:
    """Return the configured target's name; what follows a slash names an instance of it."""
    return str(row["name"]).partition("/")[0]


def _state(connection: Connection, key: str, base_key: str) -> TargetState:
    """Return the target's row. An instance is rehearsed as soon as its configured target is."""
    row = target_row(connection, key)
    passed = select(func.max(drills.c.at)).where(drills.c.target_key.in_((key, base_key)), drills.c.passed)
    return TargetState(
        epoch=row["epoch"],
        rotated_at=row["rotated_at"],
        last_success_at=row["last_success_at"],
        last_failure_at=row["last_failure_at"],
        drill_passed_at=connection.execute(passed).scalar(),
    )


def _actors(row: Any) -> tuple[str, ...]:
    return tuple(str(actor) for actor in cast(list[Json], json.loads(row["actors"])))


def _recent(connection: Connection, row: Any, now: float) -> Recent:
    """Count the automatic actions of the last hour. Drills, routine and approved actions do not count."""
    rows = connection.execute(
        select(actions.c.actors, actions.c.target_owner).where(
            actions.c.auto,
            actions.c.drill.is_(False),
            actions.c.requester.not_like(f"{REQUESTER}%"),
            actions.c.queued_at > now - HOUR_S,
            actions.c.id != row["id"],
        )
    ).all()
    mine = frozenset(_actors(row))
    by_actor: dict[str, int] = {}
    for text, _ in rows:
        for actor in cast(list[str], json.loads(text)):
            by_actor[actor] = by_actor.get(actor, 0) + 1
    owners = sum(owner == row["target_owner"] for _, owner in rows)
    return Recent(by_actor, owners, len(rows), mine & by_actor.keys())


def _targets_of_incident(connection: Connection, row: Any) -> int:
    if row["incident_id"] is None:
        return 1
    return connection.execute(
        select(func.count(actions.c.target_key.distinct())).where(
            actions.c.incident_id == row["incident_id"], actions.c.verb == row["verb"]
        )
    ).scalar_one()
