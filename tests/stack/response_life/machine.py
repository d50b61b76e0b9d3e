"""Random schedules of everything that may happen to incidents and actions, on one database of record.

A crash is a `KilledError` at a boundary of the worker: it is no Exception, so nothing of the worker runs on
but what Python unwinds. A stolen lease is time that passes and a second worker that works in between. Workers
have clocks of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from response_life import laws
from response_life.scene import DAY_S, MEMBERS, START, TARGETS, TOPIC, policy, theft
from response_life.world import ANSWERS, KIND, STEPS, PlayedRotation, World
from sqlalchemy import select

from connectors.store import approvals, debt, incidents, schema, switches
from connectors.store.actions import ActionStore
from connectors.store.database import Database
from connectors.store.error import UnknownRowError
from connectors.store.ingest import ingest
from connectors.store.promotion import promote, request_drill
from daemon.roles.respond.worker import Worker
from detectors.finding import Finding
from playbooks.action import BUSY
from playbooks.incident import IllegalTransitionError

LEASE_S: Final = 30.0
DRILLED: Final = TARGETS[:3]
WORKERS: Final = ("one", "two")
BOUNDARIES: Final = ("before_intent", "after_intent", "before_call", "after_call", "after_commit")
PLACES: Final = (
    *((step.name, boundary) for step in STEPS for boundary in BOUNDARIES),
    ("rotate", "call_out"),
    ("finish", "before_finish"),
)
NEAR_ROTATE: Final = tuple(place for place in PLACES if place[0] in ("rotate", "finish"))
SPANS_S: Final = (1.0, 8.0, LEASE_S + 1, 90.0, 700.0, 3700.0, DAY_S)
GUARDED: Final = ("all", "verb:rotate.credential")


class KilledError(BaseException):
    """The process is gone."""


class Told:
    """The worker's telemetry; only late calls matter."""

    def __init__(self) -> None:
        self.late_calls = 0

    def dependency(self, name: str, up: bool, detail: str) -> None:
        """Ignore."""

    def finished(self, verb: str, outcome: str, mode: str) -> None:
        """Ignore."""

    def late_call(self) -> None:
        """Count."""
        self.late_calls += 1


class LifeCycles(RuleBasedStateMachine):
    """One schedule. `database` is fresh; whoever made it takes it away."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.store = ActionStore(database)
        self.world = World(call_out=lambda: self._at("rotate", "call_out"))
        self.policy = policy()
        self.now = START
        self.skew: dict[str, float] = dict.fromkeys(WORKERS, 0.0)
        self.told = Told()
        self.seen = laws.Seen()
        self.log: list[Finding] = []
        self.thefts = 0
        self.plot: tuple[str, str, str] | None = None
        self.working = WORKERS[0]

    @initialize(drilled=st.sampled_from((True, True, False)), goal=st.sampled_from(TARGETS))
    def rehearse(self, drilled: bool, goal: Any) -> None:
        """Some sites have drilled their targets; every schedule begins with a theft."""
        for target in DRILLED if drilled else ():
            identifier = request_drill(self.database, target.key, self.now - 60, "operator", self.policy)
            table = schema.actions
            row = {"action_id": identifier, "target_key": target.key, "at": self.now - 60, "passed": True}
            with self.database.transaction() as connection:
                found = table.update().where(table.c.id == identifier)
                connection.execute(found.values(state="rejected"))
                connection.execute(schema.drills.insert().values(row))
            self.seen.actions[identifier] = "rejected"
        self.steal(goal, "eve", True, 2.0, "high")
        self.judge()

    @rule(
        goal=st.sampled_from(TARGETS),
        actor=st.sampled_from(("mallory", "eve", "alice")),
        whole=st.booleans(),
        age=st.sampled_from((2.0, 2.0, 2.0, 400.0, DAY_S + 60)),
        level=st.sampled_from(("high", "high", "medium", "low")),
    )
    def steal(self, goal: Any, actor: str, whole: bool, age: float, level: Any) -> None:
        """Somebody reads a password; the findings arrive in one batch."""
        self.thefts += 1
        made = theft(self.thefts, goal, actor, self.now - age, whole=whole, level=level)
        before = self._pages()
        report = self._ingest(made)
        if age > DAY_S:
            assert not report.planned, "an old story led to an action"
            assert not report.opened or self._pages() == before, "an old story paged"

    @precondition(lambda self: self.log)
    @rule(start=st.integers(0, 40), size=st.integers(1, 40))
    def deliver_again(self, start: int, size: int) -> None:
        """Kafka delivers a part of the log again."""
        with self.database.reading() as connection:
            before = laws.counts(connection)
        part = self.log[start % len(self.log) :][:size]
        report = ingest(self.database, _rows(part), {(TOPIC, 0): len(part)}, self.now, self.policy)
        with self.database.reading() as connection:
            assert laws.counts(connection) == before
        assert (report.opened, report.planned, report.pages) == ([], [], 0)

    @rule()
    def judge(self) -> None:
        """Look at every proposal."""
        for moved in promote(self.database, self.now, self.policy):
            if moved.state == "queued":
                with self.database.reading() as connection:
                    laws.check_start(connection, moved.action_id, self.policy, self.now)

    @rule(
        person=st.sampled_from(MEMBERS),
        decision=st.sampled_from(("approve", "approve", "approve", "reject")),
        number=st.integers(0, 9),
        right=st.sampled_from((True, True, True, False)),
    )
    def vote(self, person: str, decision: Any, number: int, right: bool) -> None:
        """Somebody writes a decision, as the web role may: also who must not, also about another plan."""
        rows = self._actions("proposed")
        if rows:
            row = rows[number % len(rows)]
            digest = row["digest"] if right else "0" * 64
            with self.database.transaction() as connection:
                approvals.decide(connection, row["id"], person, decision, digest, self.now, "api")

    @rule(
        who=st.sampled_from(WORKERS),
        place=st.one_of(st.sampled_from(PLACES), st.sampled_from(NEAR_ROTATE)),
        fault=st.sampled_from(("none", "none", "kill", "kill", "steal", "switch", "hour")),
        answer=st.one_of(st.just("yes"), st.sampled_from(ANSWERS)),
    )
    def work(self, who: str, place: tuple[str, str], fault: str, answer: Any) -> None:
        """A worker works on what it finds, and something happens to it at a place."""
        self.plot = None if fault == "none" else (*place, fault)
        self.world.answer = answer
        self._work(who)
        self.plot, self.world.answer = None, "yes"

    @rule(who=st.sampled_from(WORKERS))
    def work_on(self, who: str) -> None:
        """A worker goes on as far as it can, undisturbed."""
        for _ in range(4):
            self.now += 11.0
            if not self._work(who):
                return

    @rule(seconds=st.sampled_from(SPANS_S))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(who=st.sampled_from(WORKERS), seconds=st.sampled_from((-600.0, 0.0, 600.0)))
    def set_clock(self, who: str, seconds: float) -> None:
        """A worker's clock is wrong."""
        self.skew[who] = seconds

    @rule(name=st.sampled_from(GUARDED), on=st.sampled_from((True, False, False)))
    def switch(self, name: str, on: bool) -> None:
        """A person engages or releases a kill switch."""
        with self.database.transaction() as connection:
            (switches.engage if on else switches.release)(connection, name, "carol", self.now)

    @rule(
        mode=st.sampled_from(("auto", "auto", "propose")),
        kill=st.sampled_from((False, False, False, True)),
        exports=st.sampled_from(("internal", "internal", "restricted")),
    )
    def configure(self, mode: Any, kill: bool, exports: Any) -> None:
        """The operator changes the settings; a new class is a new plan."""
        targets = tuple(replace(t, classification=exports) if t.name == "exports" else t for t in TARGETS)
        self.policy = replace(policy(), mode=mode, kill_switch=kill, targets=targets)

    @rule(goal=st.sampled_from(TARGETS), person=st.sampled_from(("alice", "operator")))
    def drill(self, goal: Any, person: str) -> None:
        """A person asks for a drill."""
        request_drill(self.database, goal.key, self.now, person, self.policy)

    @rule(lag=st.sampled_from((False, False, True)))
    def replicas(self, lag: bool) -> None:
        """From now on old passwords stay alive, or no longer."""
        self.world.replicas_lag = lag
        if not lag:
            self.world.undead.clear()

    @rule(
        number=st.integers(0, 9), status=st.sampled_from(("acknowledged", "recovered", "closed", "reopened"))
    )
    def move_incident(self, number: int, status: str) -> None:
        """A person moves an incident; what is not legal is refused whole."""
        with self.database.reading() as connection:
            rows = list(connection.execute(select(schema.incidents.c.id).order_by(schema.incidents.c.number)))
        if not rows:
            return
        try:
            with self.database.transaction() as connection:
                incidents.transition(connection, rows[number % len(rows)].id, status, self.now, "alice")
        except IllegalTransitionError:
            pass

    @rule(number=st.integers(0, 9))
    def answer_for(self, number: int) -> None:
        """A person answers for a debt."""
        rows = self._actions("needs_human", "verify_failed")
        if not rows:
            return
        try:
            with self.database.transaction() as connection:
                debt.settle(
                    connection, rows[number % len(rows)]["id"], self.now, "alice", "dropped the login"
                )
        except UnknownRowError:
            pass

    @invariant()
    def laws_hold(self) -> None:
        """The laws of contracts, section 5."""
        with self.database.reading() as connection:
            laws.check_actions(connection, self.seen, self.told.late_calls)
            laws.check_epochs(connection)
            laws.check_incidents(connection, self.seen)
            laws.check_world(connection, self.world, self.told.late_calls)

    def teardown(self) -> None:
        """In peace everything ends; the chains are whole, and the whole log again changes nothing."""
        self._peace()
        assert not self._actions(*BUSY), "still busy in peace"
        self.laws_hold()
        with self.database.reading() as connection:
            laws.check_chains(connection)
            before = laws.counts(connection)
        ingest(self.database, _rows(self.log), {(TOPIC, 0): len(self.log)}, self.now, self.policy)
        with self.database.reading() as connection:
            assert laws.counts(connection) == before

    def states(self) -> set[str]:
        """Return the states in which any action is."""
        with self.database.reading() as connection:
            return set(connection.execute(select(schema.actions.c.state)).scalars())

    def _peace(self) -> None:
        with self.database.transaction() as connection:
            for name in GUARDED:
                switches.release(connection, name, "carol", self.now)
        self.skew = dict.fromkeys(WORKERS, 0.0)
        self.world.replicas_lag = False
        for _ in range(60):
            self.now += 61.0
            if not self._work(WORKERS[0]) and not self._actions(*BUSY):
                return

    def _work(self, who: str) -> bool:
        outer, self.working = self.working, who
        worker = Worker(
            name=who,
            store=self.store,
            handlers={KIND: PlayedRotation(self.world)},
            clock=lambda: self.now + self.skew[who],
            lease_s=LEASE_S,
            backoff=lambda n: min(2.0 * n, 10.0),
            policy=lambda: self.policy,
            stopping=lambda: False,
            telemetry=self.told,
            boundary=self._at,
        )
        try:
            return worker.run_once()
        except KilledError:
            return True
        finally:
            self.working = outer

    def _at(self, step: str, boundary: str) -> None:
        """Play what the schedule has for this place, once."""
        self.now += 0.01
        if self.plot is None or self.plot[:2] != (step, boundary):
            return
        fault, self.plot = self.plot[2], None
        self._faults()[fault]()

    def _faults(self) -> dict[str, Callable[[], None]]:
        return {
            "kill": self._killed,
            "steal": self._stolen,
            "switch": lambda: self.switch("all", True),
            "hour": lambda: self.pass_time(3700.0),
        }

    def _killed(self) -> None:
        raise KilledError

    def _stolen(self) -> None:
        """The lease runs out while its holder sleeps, and the other worker takes over."""
        self.now += LEASE_S + 1 + abs(self.skew[WORKERS[0]]) + abs(self.skew[WORKERS[1]])
        self._work(next(name for name in WORKERS if name != self.working))

    def _ingest(self, made: list[Finding]) -> Any:
        self.log += made
        return ingest(self.database, _rows(made), {(TOPIC, 0): len(self.log)}, self.now, self.policy)

    def _actions(self, *states: str) -> list[Any]:
        query = select(schema.actions).where(schema.actions.c.state.in_(states))
        with self.database.reading() as connection:
            ordered = query.order_by(schema.actions.c.created_at, schema.actions.c.id)
            return list(connection.execute(ordered).mappings())

    def _pages(self) -> int:
        with self.database.reading() as connection:
            return laws.counts(connection)["deliveries"]


def _rows(findings: list[Finding]) -> list[tuple[str, int, int, Finding]]:
    return [(TOPIC, 0, offset, finding) for offset, finding in enumerate(findings)]
