"""Routine rotations as actions: one for each due time that nobody kept, whichever worker sees it first.

They are ordinary proposals, with the same guards, approvals, worker and proof. What makes them routine is who
asked (`playbooks.schedule.REQUESTER`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, func, insert, select

from connectors.store import audit
from connectors.store.database import Database
from connectors.store.planned_row import row_of, target_row
from connectors.store.schema import actions, targets
from connectors.store.schema import audit as audit_table
from detectors.finding import rfc3339
from playbooks.action import BUSY
from playbooks.plan import rotating, rotation_plan
from playbooks.policy import Policy
from playbooks.schedule import REQUESTER, Due, Routine, Timetable, due

BEGAN: Final = "schedule.begin"
_OPEN: Final = ("proposed", *sorted(BUSY))


@dataclass(slots=True)
class RoutineStore:
    """Proposes what is due. `began` remembers since when each schedule has held for each target.

    A schedule asks for nothing from before it was configured; the audit says when that was.
    """

    database: Database
    began: dict[str, float] = field(default_factory=dict[str, float])

    def propose(self, now: float, timetable: Timetable, policy: Policy) -> Sequence[Due]:
        """Propose every rotation that is due at `now` (seconds, UTC); return those that are new.

        Two workers, or one that starts again, propose nothing twice: the action's id comes from the due time.
        Raises StoreError; what was proposed before it stands.
        """
        asked = [due(schedule, target, now) for schedule, target in timetable.scheduled(policy.targets)]
        self._begin([one for one in asked if one.subject not in self.began], now)
        made: list[Due] = []
        for one in asked:
            if one.at < self.began[one.subject] or timetable.frozen_until(one.target, now) is not None:
                continue
            with self.database.reading() as connection:
                if _kept(connection, one):
                    continue
            with self.database.transaction() as connection:
                if not _kept(connection, one):
                    _propose(connection, one, policy, now)
                    audit.publish(connection, now)
                    made.append(one)
        return made

    def _begin(self, fresh: Sequence[Due], now: float) -> None:
        """Learn since when these hold; for one that nobody has seen yet that is now."""
        if not fresh:
            return
        with self.database.transaction() as connection:
            known = began(connection)
            for one in fresh:
                if one.subject not in known:
                    detail = {"schedule": one.schedule.name, "target": one.target.key}
                    audit.record(connection, now, "davylamp", BEGAN, one.subject, "done", detail)
                self.began[one.subject] = known.get(one.subject, now)
            audit.publish(connection, now)


def began(connection: Connection) -> dict[str, float]:
    """Return subject (`Due.subject`) -> since when that schedule has held for that target."""
    query = select(audit_table.c.subject, func.min(audit_table.c.at)).where(audit_table.c.action == BEGAN)
    rows = connection.execute(query.group_by(audit_table.c.subject)).all()
    return {str(subject): float(at) for subject, at in rows}


def _kept(connection: Connection, one: Due) -> bool:
    """Return whether nothing is left to do: it was proposed, rotated since, or an earlier one still waits."""
    made = select(actions.c.id).where(actions.c.id == one.action_id)
    waiting = select(actions.c.id).where(
        actions.c.state.in_(_OPEN),
        actions.c.target_key == one.target.key,
        actions.c.requester.startswith(REQUESTER),
    )
    if any(connection.execute(query.limit(1)).first() is not None for query in (made, waiting)):
        return True
    rotated = select(targets.c.rotated_at).where(targets.c.key == one.target.key)
    return (connection.execute(rotated).scalar() or float("-inf")) >= one.at


def _propose(connection: Connection, one: Due, policy: Policy, now: float) -> None:
    target, schedule = one.target, one.schedule
    playbook = rotating(list(policy.playbooks.values()), target.kind)
    routine = Routine(schedule.name, one.at, schedule.mode)
    epoch = target_row(connection, target.key)["epoch"]
    plan = rotation_plan(target, policy, playbook, epoch=epoch, incident_id=None, routine=routine)
    row = row_of(plan, target, policy, now, drill=False, requester=one.requester)
    row |= {"id": one.action_id, "trigger_time": one.at, "expires_at": now + schedule.lapse_s}
    connection.execute(insert(actions).values(row))
    detail = {"target": target.key, "due": rfc3339(one.at), "late_s": round(now - one.at, 3)}
    audit.record(connection, now, one.requester, "schedule.due", one.action_id, "done", detail)
