"""What must hold whatever happened: contracts, section 5, looked up in the tables and in the played world."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from response_life.world import World
from sqlalchemy import Connection, func, select

from connectors.store import schema, timeline
from connectors.store.audit import verify
from playbooks.action import BUSY, TERMINAL, may_go, parse_state
from playbooks.incident import allowed, parse_status
from playbooks.policy import Policy

HOUR_S: Final = 3600.0
NEEDED: Final = {"public": 0, "internal": 0, "confidential": 1, "restricted": 2, "unknown": 2}
COUNTED: Final = ("incidents", "actions", "deliveries", "findings", "timeline", "audit")


@dataclass
class Seen:
    """The states of the last look, to tell a legal way from an illegal one."""

    actions: dict[str, str] = field(default_factory=dict[str, str])
    incidents: dict[str, str] = field(default_factory=dict[str, str])


def counts(connection: Connection) -> dict[str, int]:
    """Return the rows of the tables that a replay must not add to."""
    tables = schema.metadata.tables
    return {
        name: connection.execute(select(func.count()).select_from(tables[name])).scalar_one()
        for name in COUNTED
    }


def check_actions(connection: Connection, seen: Seen, late_calls: int) -> None:
    """Legal ways only, one busy action a target, a proof with a grade for every success."""
    rows = connection.execute(select(schema.actions)).mappings().all()
    graded = set(
        connection.execute(
            select(schema.proofs.c.action_id).where(schema.proofs.c.grade.is_not(None))
        ).scalars()
    )
    busy = Counter(row["target_key"] for row in rows if row["state"] in BUSY)
    assert not [key for key, number in busy.items() if number > 1], busy
    for row in rows:
        before, now = seen.actions.get(row["id"], "proposed"), row["state"]
        reopened = before in ("succeeded", "verify_failed") and late_calls > 0
        assert _reachable(before, now) or reopened, f"{before} to {now}"
        seen.actions[row["id"]] = now
        if now == "succeeded":
            assert row["id"] in graded, "a success without a proof"
        if now in ("rejected", "expired", "satisfied"):
            assert row["started_at"] is None, f"{now} after it had begun"


def check_epochs(connection: Connection) -> None:
    """One proof a target and epoch, and the target is past every epoch that was proven."""
    proofs = connection.execute(select(schema.proofs)).mappings().all()
    epochs = {row.key: row.epoch for row in connection.execute(select(schema.targets))}
    places = Counter((row["target_key"], row["epoch"]) for row in proofs)
    assert not [place for place, number in places.items() if number > 1], places
    for row in proofs:
        assert epochs[row["target_key"]] > row["epoch"], (row["target_key"], row["epoch"])


def check_incidents(connection: Connection, seen: Seen) -> None:
    """One open incident a key, legal ways only, no end while an old credential may live."""
    rows = connection.execute(select(schema.incidents)).mappings().all()
    owed = set(
        connection.execute(
            select(schema.revocation_debt.c.incident_id).where(schema.revocation_debt.c.state == "owed")
        ).scalars()
    )
    keys = Counter(row["key"] for row in rows if row["status"] in schema.OPEN_STATUSES)
    assert not [key for key, number in keys.items() if number > 1], keys
    for row in rows:
        before, now = seen.incidents.get(row["id"], "new"), row["status"]
        assert _reachable_status(before, now), f"{before} to {now}"
        if before != now and now in ("recovered", "closed"):
            assert row["id"] not in owed, "ended with a debt"
        seen.incidents[row["id"]] = now


def check_world(connection: Connection, world: World, late_calls: int) -> None:
    """No password that was rotated away is forgotten; nothing rotates twice unless a late call was counted.

    Each real rotation belongs to an action that works on, has a graded proof, or owes one (or a person
    answered for it).
    """
    states = {row.id: row.state for row in connection.execute(select(schema.actions))}
    graded = {row.action_id for row in connection.execute(select(schema.proofs)) if row.grade is not None}
    debts = {row.action_id: row.state for row in connection.execute(select(schema.revocation_debt))}
    by_action = Counter(effect.action_id for effect in world.effects)
    for action_id, number in by_action.items():
        known = (
            states[action_id] in BUSY or action_id in graded or debts.get(action_id) in ("owed", "settled")
        )
        assert known, f"rotated, and then forgotten: {states[action_id]}"
        assert number == 1 or late_calls, f"{number} rotations by one action, no late call told"
    for effect in world.effects:
        proven = states[effect.action_id] == "succeeded" and effect.action_id in graded
        if proven and by_action[effect.action_id] == 1:
            assert not world.lets_in(effect.target, effect.old), "proven dead, and let in"


def check_start(connection: Connection, action_id: str, policy: Policy, now: float) -> None:
    """Look at an action that left `proposed` for `queued`: whose leave did it have?"""
    row = connection.execute(select(schema.actions).where(schema.actions.c.id == action_id)).mappings().one()
    switches = connection.execute(select(schema.switches.c.name).where(schema.switches.c.engaged)).scalars()
    assert not policy.kill_switch
    assert not {"all", f"verb:{row['verb']}"} & set(switches)
    assert row["expires_at"] is None or now < row["expires_at"]
    needed = NEEDED[row["classification"]]
    voices = _voices(connection, row, policy)
    assert not voices["reject"]
    if row["drill"]:
        assert len(voices["approve"]) >= needed
        return
    if not row["auto"]:
        assert len(voices["approve"]) >= max(needed, 1)
        return
    assert (needed, policy.mode) == (0, "auto")
    assert now - row["trigger_time"] <= policy.times.freshness_s
    _check_drilled(connection, row, policy, now)
    _check_caps(connection, row, policy, now)


def check_chains(connection: Connection) -> None:
    """Neither the audit nor a timeline has a changed, missing or reordered row."""
    assert verify(connection) == []
    for incident in connection.execute(select(schema.incidents.c.id)).scalars():
        assert timeline.verify(connection, incident) == []


def _voices(connection: Connection, row: Mapping[Any, Any], policy: Policy) -> dict[str, set[str]]:
    """Return decision -> who said so and may: named, neither owner, requester nor subject, of this plan."""
    entities, findings = schema.finding_entities, schema.findings
    subjects = set(
        connection.execute(
            select(entities.c.entity_id)
            .join(findings, findings.c.finding_id == entities.c.finding_id)
            .where(findings.c.incident_id == row["incident_id"])
        ).scalars()
    )
    votes = connection.execute(
        select(schema.approvals).where(schema.approvals.c.action_id == row["id"])
    ).mappings()
    found: dict[str, set[str]] = {"approve": set(), "reject": set()}
    barred = {row["target_owner"], row["requester"], *subjects}
    for vote in votes:
        named = policy.approver(vote["approver"]) is not None and vote["approver"] not in barred
        if named and vote["digest"] == row["digest"] and vote["at"] < (row["expires_at"] or float("inf")):
            found[vote["decision"]].add(vote["approver"])
    return found


def _check_drilled(connection: Connection, row: Mapping[Any, Any], policy: Policy, now: float) -> None:
    drills = schema.drills
    last = connection.execute(
        select(func.max(drills.c.at)).where(drills.c.target_key == row["target_key"], drills.c.passed)
    ).scalar()
    assert last is not None and now - last <= policy.times.drill_s


def _check_caps(connection: Connection, row: Mapping[Any, Any], policy: Policy, now: float) -> None:
    actions = schema.actions
    rows = connection.execute(
        select(actions.c.actors, actions.c.target_owner).where(
            actions.c.auto, actions.c.drill.is_(False), actions.c.queued_at > now - HOUR_S
        )
    ).all()
    assert len(rows) <= policy.caps.site_hour
    assert sum(owner == row["target_owner"] for _, owner in rows) <= policy.caps.per_owner_hour
    by_actor = Counter(actor for text, _ in rows for actor in json.loads(text))
    for actor in json.loads(row["actors"]):
        assert by_actor[actor] <= policy.caps.per_actor_hour


def _reachable(before: str, now: str) -> bool:
    """Return whether legal steps lead from one state of an action to another."""
    return before == now or any(
        may_go(parse_state(before), parse_state(middle)) and _reachable(middle, now)
        for middle in BUSY | TERMINAL
    )


def _reachable_status(before: str, now: str) -> bool:
    """Return whether an incident may come from one status to another; statuses go in circles."""
    reached, edge = {before}, {before}
    while edge:
        edge = {following for status in edge for following in allowed(parse_status(status))} - reached
        reached |= edge
    return now in reached
