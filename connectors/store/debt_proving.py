"""A late proof: an action that ended without one is opened again, from the first step that was not done.

Nothing is rotated again: an action whose irreversible step is not done is left to people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select

from connectors.store import audit, switches, timeline
from connectors.store.actions import ACTION_DEADLINE_S
from connectors.store.database import Database
from connectors.store.schema import actions, revocation_debt, steps
from playbooks.action import BUSY
from playbooks.debt import next_look
from playbooks.ports import StepSpec

_ENDED: Final = ("verify_failed", "needs_human")
MAX_DUE: Final = 20


@dataclass(frozen=True, slots=True)
class DueDebt:
    """A debt whose next look has come, with its target."""

    action_id: str
    kind: str
    target_key: str


def due(database: Database, now: float) -> Sequence[DueDebt]:
    """Return the debts to look at at `now` (seconds, UTC), the longest due first. Raises StoreAwayError."""
    query = (
        select(actions.c.id, actions.c.target_kind, actions.c.target_key)
        .join(revocation_debt, revocation_debt.c.action_id == actions.c.id)
        .where(revocation_debt.c.state == "owed", revocation_debt.c.next_at <= now)
        .order_by(revocation_debt.c.next_at, actions.c.id)
        .limit(MAX_DUE)
    )
    with database.reading() as connection:
        return [DueDebt(*row) for row in connection.execute(query)]


def look_again(database: Database, action_id: str, specs: Sequence[StepSpec], now: float) -> bool:
    """Open the action's proof again; return whether it was. `specs` are its kind's steps.

    Not while the kill switch is on or another action works on the target: then it is asked again later.
    What cannot be looked at by a machine gets no next look, and the reason says so. Raises StoreAwayError.
    """
    with database.transaction() as connection:
        row = _owing(connection, action_id, now)
        if row is None:
            return False
        if switches.engaged(connection) & {"all", f"verb:{row['verb']}"} or _busy(connection, row):
            _next(connection, row, now, row["looks"])
            return False
        ordinal = _resume_at(connection, action_id, specs)
        if row["state"] not in _ENDED or ordinal is None:
            _hand_over(connection, row)
            return False
        _reopen(connection, action_id, ordinal, now)
        _next(connection, row, now, row["looks"] + 1)
        _tell(connection, row, now, specs[ordinal].name)
        return True


def _owing(connection: Connection, action_id: str, now: float) -> Any:
    return (
        connection.execute(
            select(actions, revocation_debt.c.looks, revocation_debt.c.reason.label("owed_for"))
            .join(revocation_debt, revocation_debt.c.action_id == actions.c.id)
            .where(
                actions.c.id == action_id,
                actions.c.state.not_in(sorted(BUSY)),
                revocation_debt.c.state == "owed",
                revocation_debt.c.next_at <= now,
            )
        )
        .mappings()
        .first()
    )


def _busy(connection: Connection, row: Mapping[Any, Any]) -> bool:
    base = str(row["name"]).partition("/")[0]
    names = or_(actions.c.name == base, actions.c.name.startswith(f"{base}/", autoescape=True))
    same = (actions.c.target_kind == row["target_kind"], actions.c.mount == row["mount"], names)
    query = select(func.count()).where(*same, actions.c.state.in_(sorted(BUSY)), actions.c.id != row["id"])
    return bool(connection.execute(query).scalar_one())


def _resume_at(connection: Connection, action_id: str, specs: Sequence[StepSpec]) -> int | None:
    """Return the step to go on from: the first that is not done; None when that would rotate again.

    Where all are done and yet make no proof, all after the last effect are done again.
    """
    query = select(steps.c.ordinal).where(steps.c.action_id == action_id, steps.c.state == "done")
    done = set(connection.execute(query).scalars())
    left = [ordinal for ordinal in range(len(specs)) if ordinal not in done]
    if any(specs[ordinal].effect is not None and specs[ordinal].irreversible for ordinal in left):
        return None
    if not any(specs[ordinal].effect is not None for ordinal in done if ordinal < len(specs)):
        return None
    if left:
        return left[0]
    last = max(ordinal for ordinal, spec in enumerate(specs) if spec.effect is not None)
    return min(last + 1, len(specs) - 1)


def _reopen(connection: Connection, action_id: str, ordinal: int, now: float) -> None:
    mine = (steps.c.action_id == action_id, steps.c.ordinal >= ordinal)
    afresh = {"state": "pending", "checks": "[]", "done_at": None, "context": "{}"}
    connection.execute(steps.update().where(*mine).values(afresh))
    values = {"state": "verifying", "lease_owner": None, "lease_until": now, "finished_at": None}
    values |= {"deadline_at": now + ACTION_DEADLINE_S, "version": actions.c.version + 1}
    connection.execute(actions.update().where(actions.c.id == action_id).values(values))


def _next(connection: Connection, row: Mapping[Any, Any], now: float, looks: int) -> None:
    values = {"looks": looks, "next_at": next_look(looks, now)}
    connection.execute(
        revocation_debt.update().where(revocation_debt.c.action_id == row["id"]).values(values)
    )


def _hand_over(connection: Connection, row: Mapping[Any, Any]) -> None:
    values = {"next_at": None, "reason": f"{row['owed_for']}; a person must look"[:4000]}
    connection.execute(
        revocation_debt.update().where(revocation_debt.c.action_id == row["id"]).values(values)
    )


def _tell(connection: Connection, row: Mapping[Any, Any], now: float, step: str) -> None:
    subject = f"{row['target_key']} action {row['id']}"
    audit.record(
        connection, now, "davylamp", "debt.look", subject, "done", {"from": step, "look": row["looks"] + 1}
    )
    if row["incident_id"] is not None and row["looks"] == 0:
        text = f"{row['mount']}/{row['name']}: the proof is tried again, from {step} on"
        data = {"action_id": row["id"], "target": row["target_key"]}
        timeline.append(connection, row["incident_id"], now, "late_proof", text, data)
