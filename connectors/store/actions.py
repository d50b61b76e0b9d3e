"""Who works on which action, and what each step did: leases with fences, intents before calls.

Every write carries the lease's fence and raises LeaseLostError when it moved, so a worker that slept too long
changes nothing. Writers are serial (`connectors.store.database`), so a claim needs no further lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from connectors.store import audit, debt, switches, timeline
from connectors.store.canonical import dumps, storable
from connectors.store.database import Database
from connectors.store.leases import Lease, LeaseLostError, StepRow, action_row, step_row
from connectors.store.schema import actions, steps
from playbooks.action import BUSY, ActionState
from playbooks.containment import RELEASE
from playbooks.plan import ROTATE
from playbooks.proof import Check

ACTION_DEADLINE_S: Final = 3600.0
MAX_ESCROW_S: Final = 3600.0
_RUNNING: Final[tuple[ActionState, ...]] = ("executing", "verifying", "rolling_back")


class ActionStore:
    """The worker's side of the tables `actions` and `steps`. Each method is one transaction.

    All raise StoreAwayError; all but `claim` and the counts raise LeaseLostError.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def claim(self, worker: str, now: float, lease_s: float) -> Lease | None:
        """Take the oldest action that is queued, parked until now, abandoned, or still ours after a break.

        A release waits for its time, and for the kill switch of its own verb alone: it takes back.
        """
        free = or_(
            actions.c.lease_until.is_(None), actions.c.lease_until < now, actions.c.lease_owner == worker
        )
        with self.database.transaction() as connection:
            due = actions.c.verb != RELEASE
            if f"verb:{RELEASE}" not in switches.engaged(connection):
                due = or_(due, actions.c.queued_at <= now)
            queued = and_(actions.c.state == "queued", due)
            wanted = or_(queued, and_(actions.c.state.in_(_RUNNING), free))
            row = (
                connection.execute(
                    select(actions)
                    .where(wanted)
                    .order_by(func.coalesce(actions.c.queued_at, actions.c.created_at), actions.c.id)
                    .limit(1)
                )
                .mappings()
                .first()
            )
            return self._take(connection, row, worker, now, lease_s) if row is not None else None

    def renew(self, lease: Lease, now: float, lease_s: float) -> None:
        """Keep the lease for another `lease_s`."""
        with self._held(lease) as connection:
            _update(connection, lease, {"lease_until": now + lease_s})

    def until(self, lease: Lease) -> float:
        """Return until when the lease holds, as the database says now."""
        with self.database.reading() as connection:
            return _held_until(connection, lease)

    def park(self, lease: Lease, until: float, *, not_counted_s: float = 0.0) -> None:
        """Give the action back; nobody takes it before `until`.

        `not_counted_s` moves the deadline: time without the outside is not the action's, for an hour at most.
        """
        action = lease.action
        deadline = min(action.deadline_at + not_counted_s, action.started_at + ACTION_DEADLINE_S)
        values = {"lease_owner": None, "lease_until": until}
        with self._held(lease) as connection:
            _update(connection, lease, values | {"deadline_at": max(deadline, action.deadline_at)})

    def intend(self, lease: Lease, ordinal: int, name: str, now: float, context: Mapping[str, object]) -> int:
        """Say, before anything is sent, that the step starts; return the number of this attempt."""
        with self._held(lease) as connection:
            attempt = connection.execute(select(steps.c.attempt).where(*_step(lease, ordinal))).scalar()
            values = {"state": "intended", "attempt": (attempt or 0) + 1, "intent_at": now}
            values |= {"context": dumps(dict(context))}
            if attempt is None:
                key = {"action_id": lease.action.id, "ordinal": ordinal, "name": name}
                connection.execute(steps.insert().values({**key, **values}))
            else:
                connection.execute(steps.update().where(*_step(lease, ordinal)).values(values))
            return (attempt or 0) + 1

    def complete(
        self,
        lease: Lease,
        ordinal: int,
        now: float,
        context: Mapping[str, object],
        checks: Sequence[Check],
        note: str,
        escrow: str | None = None,
        *,
        state: ActionState | None = None,
        milestone: str | None = None,
    ) -> None:
        """Record a step as done. `state` moves the action on; `milestone` is the kind of its timeline row.

        `escrow` is transit ciphertext, never a password.
        """
        with self._held(lease) as connection:
            values: dict[str, Any] = {"state": "done", "done_at": now, "context": dumps(dict(context))}
            values |= {"checks": dumps([check.to_json() for check in checks]), "note": storable(note)}
            if escrow is not None:
                values["escrow"] = escrow
            connection.execute(steps.update().where(*_step(lease, ordinal)).values(values))
            if state is not None:
                _update(connection, lease, {"state": state})
            changed = state is not None or milestone is not None
            if changed and lease.action.verb == ROTATE:
                debt.took_effect(connection, lease, now)
            self._tell(connection, lease, now, milestone or "step", note)

    def attempt_failed(
        self, lease: Lease, ordinal: int, now: float, context: Mapping[str, object], note: str, *, tell: bool
    ) -> None:
        """Record that an attempt did not work; `tell` writes it into the timeline too."""
        with self._held(lease) as connection:
            values = {"context": dumps(dict(context)), "note": storable(note), "called_at": now}
            connection.execute(steps.update().where(*_step(lease, ordinal)).values(values))
            if tell:
                self._tell(connection, lease, now, "waiting", note)

    def go_back(self, lease: Lease, ordinal: int, now: float, reason: str) -> None:
        """Let every step from `ordinal` on be done again, because the credential moved on (a late call)."""
        with self._held(lease) as connection:
            mine = (steps.c.action_id == lease.action.id, steps.c.ordinal >= ordinal)
            connection.execute(steps.update().where(*mine).values(state="pending", checks="[]", done_at=None))
            self._tell(connection, lease, now, "late_call", reason)
            _audit(connection, lease, now, "late_call", "done", {"reason": reason})

    def report_late_call(self, lease: Lease, ordinal: int, name: str, now: float) -> None:
        """Record that a call may have landed after its lease was lost. Needs no lease; changes no action."""
        detail = {"step": name, "ordinal": ordinal, "fence": lease.fence}
        with self.database.transaction() as connection:
            self._tell(connection, lease, now, "late_call", f"{name}: a call may have landed without a lease")
            _audit(connection, lease, now, "late_call", "failed", detail)

    def steps_of(self, action_id: str) -> tuple[StepRow, ...]:
        """Return the steps of an action as they stand."""
        with self.database.reading() as connection:
            return _steps(connection, action_id)

    def prove_again(self, action_id: str, ordinal: int, now: float) -> bool:
        """Open a finished action for its proof again, from step `ordinal` on; return whether it was opened.

        Not while another action is busy with the same target: that one proves the next epoch.
        """
        with self.database.transaction() as connection:
            row = connection.execute(select(actions).where(actions.c.id == action_id)).mappings().one()
            busy = connection.execute(
                select(func.count()).where(
                    actions.c.target_key == row["target_key"], actions.c.state.in_(sorted(BUSY))
                )
            ).scalar_one()
            if busy or row["state"] not in ("succeeded", "verify_failed"):
                return False
            mine = (steps.c.action_id == action_id, steps.c.ordinal >= ordinal)
            connection.execute(steps.update().where(*mine).values(state="pending", checks="[]", done_at=None))
            values = {"state": "verifying", "lease_owner": None, "lease_until": now, "finished_at": None}
            values |= {"deadline_at": now + ACTION_DEADLINE_S}
            connection.execute(actions.update().where(actions.c.id == action_id).values(values))
            return True

    def halted(self, verb: str) -> bool:
        """Return whether a person engaged the kill switch for everything or for this verb."""
        with self.database.reading() as connection:
            return bool(switches.engaged(connection) & {"all", f"verb:{verb}"})

    def counts(self) -> dict[str, int]:
        """Return state -> number of actions."""
        with self.database.reading() as connection:
            rows = connection.execute(
                select(actions.c.state, func.count().label("number")).group_by(actions.c.state)
            )
            return {row.state: row.number for row in rows}

    def executing_without_lease(self, before: float) -> int:
        """Return how many running actions nobody has held since `before` (seconds, UTC)."""
        late = or_(actions.c.lease_until.is_(None), actions.c.lease_until < before)
        with self.database.reading() as connection:
            return connection.execute(
                select(func.count()).where(actions.c.state.in_(_RUNNING), late)
            ).scalar_one()

    def purge_escrow(self, now: float) -> int:
        """Delete ciphertexts older than an hour, whatever became of their action; return how many."""
        old = and_(steps.c.escrow.is_not(None), steps.c.done_at < now - MAX_ESCROW_S)
        with self.database.reading() as connection:
            if not connection.execute(select(func.count()).where(old)).scalar_one():
                return 0
        with self.database.transaction() as connection:
            return connection.execute(steps.update().where(old).values(escrow=None)).rowcount

    def _take(
        self, connection: Connection, row: Mapping[Any, Any], worker: str, now: float, lease_s: float
    ) -> Lease:
        first = row["state"] == "queued"
        started = row["started_at"] or now
        deadline = _deadline(row, started, now)
        values = {
            "state": "executing" if first else row["state"],
            "lease_owner": worker,
            "lease_until": now + lease_s,
            "fence": row["fence"] + 1,
            "version": row["version"] + 1,
            "started_at": started,
            "deadline_at": deadline,
        }
        connection.execute(actions.update().where(actions.c.id == row["id"]).values(values))
        taken = {**row, **values}
        lease = Lease(
            action=action_row(taken, started_at=started, deadline_at=deadline),
            owner=worker,
            fence=taken["fence"],
            until=taken["lease_until"],
            steps=_steps(connection, row["id"]),
            taken_over=not first and row["lease_owner"] is not None,
        )
        if first:
            self._tell(connection, lease, now, "executing", f"{row['verb']} on {row['target_key']} starts")
            _audit(
                connection, lease, now, "action.start", "done", {"drill": row["drill"], "auto": row["auto"]}
            )
        elif lease.taken_over:
            self._tell(connection, lease, now, "taken_over", "a worker was lost; another goes on")
        return lease

    @contextmanager
    def _held(self, lease: Lease) -> Iterator[Connection]:
        with self.database.transaction() as connection:
            _held_until(connection, lease)
            yield connection

    def _tell(self, connection: Connection, lease: Lease, now: float, kind: str, text: str) -> None:
        if lease.action.incident_id is not None and text:
            data = {"action_id": lease.action.id, "target": lease.action.target.key}
            timeline.append(connection, lease.action.incident_id, now, kind, text, data)


def _deadline(row: Mapping[Any, Any], started: float, now: float) -> float:
    """Return the deadline: the plan's seconds from the start, and time without a worker is not counted.

    What is not counted moves it to an hour after the start at most; a plan may ask for more than that.
    """
    latest = started + ACTION_DEADLINE_S
    if row["deadline_at"] is None:
        return latest
    if row["state"] == "queued":
        return now + row["deadline_at"] - (row["queued_at"] or now)
    unheld_s = max(0.0, now - (row["lease_until"] or now))
    return max(row["deadline_at"], min(latest, row["deadline_at"] + unheld_s))


def _held_until(connection: Connection, lease: Lease) -> float:
    row = connection.execute(
        select(actions.c.lease_owner, actions.c.fence, actions.c.lease_until).where(
            actions.c.id == lease.action.id
        )
    ).first()
    if row is None or row.lease_owner != lease.owner or row.fence != lease.fence:
        raise LeaseLostError(lease.action.id, lease.fence)
    return float(row.lease_until)


def _update(connection: Connection, lease: Lease, values: Mapping[str, object]) -> None:
    connection.execute(actions.update().where(actions.c.id == lease.action.id).values(dict(values)))


def _step(lease: Lease, ordinal: int) -> tuple[Any, Any]:
    return steps.c.action_id == lease.action.id, steps.c.ordinal == ordinal


def _steps(connection: Connection, action_id: str) -> tuple[StepRow, ...]:
    rows = connection.execute(
        select(steps).where(steps.c.action_id == action_id).order_by(steps.c.ordinal)
    ).mappings()
    return tuple(step_row(row) for row in rows)


def _audit(
    connection: Connection, lease: Lease, now: float, action: str, outcome: str, detail: Mapping[str, object]
) -> None:
    subject = f"{lease.action.target.key} action {lease.action.id}"
    audit.record(connection, now, lease.owner, action, subject, outcome, detail)
