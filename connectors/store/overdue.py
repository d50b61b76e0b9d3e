"""Which targets are overdue: a routine rotation that is not proven, or a proof that is too old."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, select

from connectors.store.routine import began
from connectors.store.schema import actions, targets
from playbooks.schedule import REQUESTER, Due, Timetable, due, next_due
from playbooks.target import TargetRef

Why: TypeAlias = Literal["late", "too_old", "never_proven"]


@dataclass(frozen=True, slots=True)
class Overdue:
    """One target that is overdue, and why. Times: seconds (UTC).

    `since`: when it should have been rotated at the latest; None when nobody ever proved a rotation of it.
    `age_s`: seconds since its last proof. `action_id`, `state`, `reason`: the last routine action, empty
    when there is none. `frozen_until`: the end of the window that holds it back now.
    """

    target: TargetRef
    why: Why
    since: float | None
    age_s: float | None
    schedule: str = ""
    action_id: str = ""
    state: str = ""
    reason: str = ""
    frozen_until: float | None = None


def ages(connection: Connection, known: Iterable[TargetRef], now: float) -> dict[str, float | None]:
    """Return target key -> seconds since its last proven rotation, drills included; None: never proven."""
    rows = connection.execute(select(targets.c.key, targets.c.verified_at)).all()
    proven = {str(key): now - at for key, at in rows if at is not None}
    return {target.key: proven.get(target.key) for target in known}


def overdue(
    connection: Connection, known: Sequence[TargetRef], timetable: Timetable, now: float
) -> Sequence[Overdue]:
    """Return what is overdue at `now`, those of schedules first, each target once for each reason."""
    aged = ages(connection, known, now)
    since = began(connection)
    found: list[Overdue] = []
    for schedule, target in timetable.scheduled(known):
        one = due(schedule, target, now)
        age_s = aged[target.key]
        begun = since.get(one.subject)
        if begun is None:
            continue
        first = next_due(schedule, target, max(begun, now - age_s if age_s is not None else begun))
        if now > first + schedule.late_s:
            found.append(_late(connection, one, first, age_s, timetable.frozen_until(target, now)))
    return [*found, *_too_old(known, timetable, aged, now)]


def _late(
    connection: Connection, one: Due, first: float, age_s: float | None, frozen_until: float | None
) -> Overdue:
    last = _last_action(connection, one.target.key)
    return Overdue(
        one.target,
        "late",
        first,
        age_s,
        schedule=one.schedule.name,
        action_id=last.id if last else "",
        state=last.state if last else "",
        reason=last.reason if last else "",
        frozen_until=frozen_until,
    )


def _last_action(connection: Connection, key: str) -> Any:
    query = select(actions.c.id, actions.c.state, actions.c.reason).where(
        actions.c.target_key == key, actions.c.requester.startswith(REQUESTER)
    )
    return connection.execute(query.order_by(actions.c.created_at.desc()).limit(1)).first()


def _too_old(
    known: Iterable[TargetRef], timetable: Timetable, aged: dict[str, float | None], now: float
) -> Iterable[Overdue]:
    for target in known:
        limit_s, age_s = timetable.max_age_s(target), aged[target.key]
        if limit_s is None:
            continue
        if age_s is None:
            yield Overdue(target, "never_proven", None, None)
        elif age_s > limit_s:
            yield Overdue(target, "too_old", now - age_s + limit_s, age_s)
