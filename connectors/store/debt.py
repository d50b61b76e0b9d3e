"""Revocation debt in SQL: opened when a rotation took effect, paid by its proof, settled by a person.

One row an action. Nothing here can hold a secret: a row has what `playbooks.debt.old_credential` names.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

from sqlalchemy import Connection, or_, select

from connectors.store import audit, outbox, timeline
from connectors.store.canonical import dumps, storable
from connectors.store.error import UnknownRowError
from connectors.store.leases import Lease
from connectors.store.schema import aliases, revocation_debt, steps
from detectors.event import Fields, Json
from playbooks.debt import Handle, OldCredential, dead_credential, next_look, old_credential
from playbooks.incident import Status, check_debt
from playbooks.proof import Proof

TOPIC: Final = "davylamp.verdicts"
UNDER_WAY: Final = "the proof is under way"
_MAX_ALIASES: Final = 16
_MAX_NAMED: Final = 50
_table = revocation_debt


def took_effect(connection: Connection, lease: Lease, now: float) -> None:
    """Note that the credential changed: from now on the old one owes a proof."""
    if _row(connection, lease.action.id) is None:
        _insert(connection, lease, now, UNDER_WAY, next_at=None)


def ended(
    connection: Connection,
    lease: Lease,
    now: float,
    proof: Proof | None,
    reason: str,
    *,
    may_live: bool,
    skew_s: float,
) -> None:
    """Note how the action ended: a graded `proof` pays; `may_live` says that the old credential may live.

    The next look for an unpaid debt gets later each time (`playbooks.debt.next_look`).
    """
    row = _row(connection, lease.action.id)
    if proof is not None and proof.grade is not None:
        if row is None:
            _insert(connection, lease, now, UNDER_WAY, next_at=None)
        _pay(connection, lease, now, proof, row, skew_s)
    elif may_live or row is not None:
        _owe(connection, lease, now, reason, row)


def settle(connection: Connection, action_id: str, now: float, by: str, note: str) -> None:
    """End a debt by a person's word: they know that the old credential is dead, and say how.

    Raises UnknownRowError when the action owes nothing.
    """
    row = _row(connection, action_id)
    if row is None or row["state"] != "owed":
        raise UnknownRowError(f"action {action_id} owes nothing")
    values = {"state": "settled", "next_at": None, "ended_at": now}
    _update(connection, action_id, values | {"settled_by": storable(by, 256), "note": storable(note)})
    audit.record(connection, now, by, "debt.settle", action_id, "done", {"note": note})
    if row["incident_id"] is not None:
        text = f"{by} answers for it that {row['credential']} of {row['target_key']} is dead: {note}"
        timeline.append(connection, row["incident_id"], now, "debt_settled", text, {"action_id": action_id})


def check_paid(connection: Connection, incident_id: str, to_status: Status) -> None:
    """Raise DebtOwedError, naming them, when the incident may not end because of its debts."""
    rows = connection.execute(
        select(_table.c.target_key, _table.c.credential, _table.c.reason)
        .where(_table.c.incident_id == incident_id, _table.c.state == "owed")
        .order_by(_table.c.since, _table.c.action_id)
        .limit(_MAX_NAMED)
    )
    check_debt(to_status, [f"{key} ({credential}): {reason}" for key, credential, reason in rows])


def _pay(connection: Connection, lease: Lease, now: float, proof: Proof, row: Any, skew_s: float) -> None:
    values = {"state": "paid", "reason": "", "next_at": None, "ended_at": now, "grade": proof.grade}
    _update(connection, lease.action.id, values | {"epoch": proof.epoch})
    paid = _row(connection, lease.action.id)
    old = OldCredential(paid["credential"], _handles(paid["handles"]))
    if row is not None and row["state"] == "owed" and row["reason"] != UNDER_WAY:
        text = f"{paid['target_key']}: {old.name} is proven dead after all, grade {proof.grade}"
        _tell(connection, lease, now, "debt_paid", text)
    verdict = dead_credential(proof, old, _aliases(connection, old.handles), skew_s)
    if verdict is not None:
        outbox.put(connection, TOPIC, f"dead-credential|{verdict['type']}:{verdict['id']}", verdict, now)


def _owe(connection: Connection, lease: Lease, now: float, reason: str, row: Any) -> None:
    reason = storable(reason)
    if row is None:
        _insert(connection, lease, now, reason, next_at=next_look(0, now))
    else:
        values: dict[str, Any] = {"state": "owed", "reason": reason, "ended_at": None, "grade": None}
        _update(connection, lease.action.id, values | {"next_at": next_look(row["looks"], now)})
    if row is None or row["reason"] in (UNDER_WAY, ""):
        kept = _row(connection, lease.action.id)
        text = f"not proven dead: {kept['credential']} of {kept['target_key']}: {reason}"
        _tell(connection, lease, now, "debt", text)


def _insert(connection: Connection, lease: Lease, now: float, reason: str, next_at: float | None) -> None:
    action = lease.action
    old = old_credential(action.target, _left(connection, action.id), action.epoch)
    connection.execute(
        _table.insert().values(
            action_id=action.id,
            incident_id=action.incident_id,
            target_key=action.target.key,
            epoch=action.epoch,
            credential=storable(old.name, 600),
            handles=dumps([list(handle) for handle in old.handles]),
            since=now,
            reason=reason,
            state="owed",
            looks=0,
            next_at=next_at,
        )
    )


def _left(connection: Connection, action_id: str) -> Fields:
    """Return what the done steps of an action left, later ones last."""
    rows = connection.execute(
        select(steps.c.context).where(steps.c.action_id == action_id).order_by(steps.c.ordinal)
    ).scalars()
    merged: Fields = {}
    for text in rows:
        found = cast(Fields, json.loads(text)).get("state")
        merged |= found if isinstance(found, dict) else {}
    return merged


def _aliases(connection: Connection, handles: tuple[Handle, ...]) -> list[str]:
    """Return other names of the same type that events taught: a token's hash in the vault's audit."""
    found: dict[str, None] = {}
    a_type, a_id, b_type, b_id = (aliases.c[name] for name in ("a_type", "a_id", "b_type", "b_id"))
    for kind, name in handles:
        query = select(a_id, b_id).where(a_type == kind, b_type == kind, or_(a_id == name, b_id == name))
        rows = connection.execute(query.order_by(aliases.c.valid_from.desc(), a_id, b_id).limit(_MAX_ALIASES))
        for pair in rows:
            found |= dict.fromkeys(other for other in pair if other != name)
    return list(found)


def _handles(text: str) -> tuple[Handle, ...]:
    return tuple((str(kind), str(name)) for kind, name in cast("list[list[Json]]", json.loads(text)))


def _row(connection: Connection, action_id: str) -> Any:
    return connection.execute(select(_table).where(_table.c.action_id == action_id)).mappings().first()


def _update(connection: Connection, action_id: str, values: dict[str, Any]) -> None:
    connection.execute(_table.update().where(_table.c.action_id == action_id).values(values))


def _tell(connection: Connection, lease: Lease, now: float, kind: str, text: str) -> None:
    if lease.action.incident_id is not None:
        data = {"action_id": lease.action.id, "target": lease.action.target.key}
        timeline.append(connection, lease.action.incident_id, now, kind, text, data)
