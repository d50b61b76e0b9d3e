"""The loop of routine rotations: proposes what is due, tells of those that went wrong, shows the ages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from connectors.store.database import Database
from connectors.store.overdue import ages, overdue
from connectors.store.routine import RoutineStore
from connectors.store.routine_trouble import open_incidents
from daemon.roles.respond.schedule_metrics import ScheduleMetrics
from playbooks.policy import Policy
from playbooks.schedule import Timetable

TURN_S: Final = 5.0
LOOK_S: Final = 60.0
ON_TIME_S: Final = 60.0


class Scheduling:
    """One of the respond role's loops; every worker runs it, and what is due is proposed once."""

    def __init__(
        self,
        database: Database,
        timetable: Timetable,
        policy: Callable[[], Policy],
        clock: Callable[[], float],
        metrics: ScheduleMetrics,
    ) -> None:
        self._database = database
        self._timetable = timetable
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._store = RoutineStore(database)
        self._looked_at = float("-inf")

    async def work(self) -> float:
        """Do one turn in a thread; return the seconds until the next. Raises StoreAwayError."""
        await asyncio.to_thread(self.turn)
        return TURN_S

    def turn(self) -> None:
        """Propose what is due; tell of what failed; once a minute, look at every target's age."""
        now, policy = self._clock(), self._policy()
        log = structlog.get_logger("davylamp.respond")
        for one in self._store.propose(now, self._timetable, policy):
            late_s = now - one.at
            when = "late" if late_s > ON_TIME_S else "on_time"
            self._metrics.proposed.labels(one.schedule.name, when).inc()
            log.info("routine rotation", schedule=one.schedule.name, target=one.target.key, late_s=late_s)
        open_incidents(self._database, now, policy)
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._look(now, policy)

    def _look(self, now: float, policy: Policy) -> None:
        routine = [target for target in policy.targets if self._timetable.routine(target.kind)]
        with self._database.reading() as connection:
            found = overdue(connection, routine, self._timetable, now)
            self._metrics.show(ages(connection, routine, now), found)
