"""How much is under way and went wrong lately: what the guards bound besides the caps."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from connectors.store.schema import actions
from connectors.store.schema import switches as switches_table
from connectors.store.switches import BREAKER
from playbooks.action import BUSY
from playbooks.containment import CONTAIN, RELEASE
from playbooks.guard import HOUR_S
from playbooks.policy import Safety
from playbooks.schedule import REQUESTER, scheduled

FAILED: Final = ("failed", "verify_failed", "needs_human")
_NOT_BEGUN: Final = ("proposed", "rejected", "expired", "satisfied", "superseded", "cancelled")


def busy_with(connection: Connection, row: Any) -> str | None:
    """Return the action at work on the target of `row`, on all of it or on any instance, or None.

    Proofs of instances would mix; containments of two workloads do not, and one that stands keeps its own.
    """
    mine = actions.c.target_key == row["target_key"]
    if row["verb"] not in (CONTAIN, RELEASE):
        base = str(row["name"]).partition("/")[0]
        mine = and_(
            actions.c.target_kind == row["target_kind"],
            actions.c.mount == row["mount"],
            or_(actions.c.name == base, actions.c.name.startswith(f"{base}/", autoescape=True)),
        )
    return connection.execute(
        select(actions.c.id)
        .where(mine, actions.c.state.in_(sorted(BUSY)), actions.c.id != row["id"])
        .limit(1)
    ).scalar()


def at_work(connection: Connection, row: Any, now: float) -> int:
    """Count other actions that a worker holds or that wait for one; not those that wait for the outside."""
    queued = and_(actions.c.state == "queued", or_(actions.c.queued_at.is_(None), actions.c.queued_at <= now))
    held = and_(actions.c.state.in_(sorted(BUSY - {"queued"})), actions.c.lease_owner.is_not(None))
    return connection.execute(
        select(func.count()).where(or_(queued, held), actions.c.verb != RELEASE, actions.c.id != row["id"])
    ).scalar_one()


def kind_targets(connection: Connection, row: Any, now: float) -> int:
    """Count the other targets of the kind that were acted on in the last hour; drills do not count.

    Nor do routine rotations, but among themselves: a night's schedule must not hold up an incident.
    """
    routine = actions.c.requester.like(f"{REQUESTER}%")
    return connection.execute(
        select(func.count(actions.c.target_key.distinct())).where(
            routine if scheduled(row["requester"]) else ~routine,
            actions.c.target_kind == row["target_kind"],
            actions.c.target_key != row["target_key"],
            actions.c.verb == row["verb"],
            actions.c.drill.is_(False),
            actions.c.queued_at > now - HOUR_S,
        )
    ).scalar_one()


def siblings(connection: Connection, row: Any) -> tuple[str, ...]:
    """Return the states of the incident's other actions on this kind that began, of other targets."""
    if row["incident_id"] is None:
        return ()
    return tuple(
        connection.execute(
            select(actions.c.state)
            .where(
                actions.c.incident_id == row["incident_id"],
                actions.c.target_kind == row["target_kind"],
                actions.c.target_key != row["target_key"],
                actions.c.verb == row["verb"],
                actions.c.state.not_in(_NOT_BEGUN),
            )
            .order_by(actions.c.created_at, actions.c.id)
        ).scalars()
    )


def failures(connection: Connection, verb: str, safety: Safety, now: float) -> int:
    """Count the failures of a verb in the breaker's window, or since a person closed its breaker."""
    closed_at = connection.execute(
        select(switches_table.c.at).where(switches_table.c.name == f"{BREAKER}{verb}")
    ).scalar()
    since = max(now - safety.breaker_window_s, closed_at or 0.0)
    return connection.execute(
        select(func.count()).where(
            actions.c.verb == verb, actions.c.state.in_(FAILED), actions.c.finished_at > since
        )
    ).scalar_one()


def open_breakers(connection: Connection, safety: Safety, now: float) -> dict[str, int]:
    """Return verb -> failures of each verb whose breaker is open at `now` (seconds, UTC)."""
    since = now - safety.breaker_window_s
    verbs = connection.execute(
        select(actions.c.verb).where(actions.c.state.in_(FAILED), actions.c.finished_at > since).distinct()
    ).scalars()
    counted = {verb: failures(connection, verb, safety, now) for verb in sorted(verbs)}
    return {verb: number for verb, number in counted.items() if number >= safety.breaker_failures}
