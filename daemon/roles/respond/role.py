"""The respond role: findings in; incidents, approvals, actions with proof, pages and messages out.

Nothing here hangs on a Kafka group: a rebalance moves partitions of findings, never a half-done rotation,
which is held by a lease in SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import threading
from typing import Final

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from connectors.consumers.watch import Watch
from connectors.containment.catalogue import containments, needs_of
from connectors.kafka.batch import Lane
from connectors.kafka.batch_consumer import BatchConsumer
from connectors.kafka.producer import ConfirmedProducer
from connectors.kafka.topics import FINDINGS
from connectors.notify.catalogue import notifiers
from connectors.rotation.catalogue import handlers
from connectors.rotation.tools import Tools
from connectors.store import approvals
from connectors.store.actions import ActionStore
from connectors.store.database import Database, upgrade
from connectors.store.promotion import promote
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.reloading_playbooks import LivePlaybooks
from daemon.roles.kafka_health import KafkaHealth
from daemon.roles.kafka_topics import topics_made
from daemon.roles.respond.checkpoints import SqlCheckpoints
from daemon.roles.respond.consuming import GROUP, FindingIntake
from daemon.roles.respond.debt_looks import DebtLooks
from daemon.roles.respond.looping import Loop
from daemon.roles.respond.metrics import RespondMetrics
from daemon.roles.respond.notifying import Notifying
from daemon.roles.respond.outbox_publisher import IDLE_S, OutboxPublisher
from daemon.roles.respond.patience import patiently
from daemon.roles.respond.policy import policy_of
from daemon.roles.respond.schedule_metrics import ScheduleMetrics
from daemon.roles.respond.schedule_settings import timetable_of
from daemon.roles.respond.scheduling import Scheduling
from daemon.roles.respond.standing import Standing
from daemon.roles.respond.telemetry import RoleTelemetry
from daemon.roles.respond.vault_watch import VaultWatch
from daemon.roles.respond.worker import StopRequestedError, Worker
from daemon.runtime import Runtime

PROMOTE_S: Final = 1.0
VOTES_S: Final = 0.1
WORK_S: Final = 0.2
FIRST_BACKOFF_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 10.0
MAX_RECORDS: Final = 500
_LEAVE_S: Final = 3.0


async def run(settings: Settings, runtime: Runtime) -> None:
    """Respond until `runtime.stop` is set. Raises ConfigurationError; what is away is waited for."""
    url = _database_url(settings)
    respond = Respond(settings, runtime, Database(url))
    try:
        if await _until_stopped(patiently(lambda: upgrade(url), runtime.health), runtime.stop):
            await respond.work()
    finally:
        respond.close()


class Respond:
    """The parts of the role, wired."""

    def __init__(self, settings: Settings, runtime: Runtime, database: Database) -> None:
        self._settings = settings
        self._runtime = runtime
        self._database = database
        self._halt = threading.Event()
        self._woken = asyncio.Event()
        self._queued = asyncio.Event()
        self._topics = asyncio.Event()
        self._metrics = RespondMetrics(runtime.registry)
        self._notifiers = notifiers(settings)
        playbooks = LivePlaybooks(settings.response)
        self._standing = Standing(policy_of(settings, playbooks=playbooks.now))
        playbooks.changed = self._standing.play
        self._store = ActionStore(database)
        self._scheduling = Scheduling(
            database,
            timetable_of(settings),
            lambda: self._standing.policy,
            runtime.clock,
            ScheduleMetrics(runtime.registry),
        )
        self._worker = self._make_worker(settings, runtime)
        self._kafka = KafkaHealth(runtime.health)
        self._producer = ConfirmedProducer(settings.kafka, self._kafka.part("producer"))
        checkpoints = SqlCheckpoints(database, runtime.health)
        self._intake = FindingIntake(
            database=database,
            checkpoints=checkpoints,
            health=runtime.health,
            clock=runtime.clock,
            metrics=self._metrics,
            policy=lambda: self._standing.policy,
            after=self._woken.set,
        )
        self._consumer = BatchConsumer(
            kafka=settings.kafka,
            group=GROUP,
            lanes=(Lane("findings", (FINDINGS,), self._intake, MAX_RECORDS),),
            store=checkpoints,
            report=self._kafka.part("consumer"),
            stop=runtime.stop,
            clock=runtime.clock,
            assigned=self._assigned,
            stop_timeout_s=_LEAVE_S,
        )
        runtime.status = self.status
        runtime.reloading.add(playbooks, playbooks.seen)

    async def work(self) -> None:
        """Run every loop until stopped; a loop that fails ends the role."""
        stop = self._runtime.stop
        sender = OutboxPublisher(self._database, self._producer, self._runtime.clock, self._metrics)
        notifying = Notifying(self._database, self._notifiers, self._runtime.clock, self._metrics)
        works = {"promote": self._promote, "outbox": lambda: self._publish(sender), "notify": notifying.work}
        if self._settings.response.targets:
            watch = VaultWatch(self._vault, self._runtime.health, self._standing)
            looks = DebtLooks(
                self._database, self._worker.handlers, self._runtime.clock, lambda: self._standing.policy
            )
            works |= {"vault": watch.work, "actions": self._act, "debt": looks.work}
            works["schedules"] = self._scheduling.work
        elif self._settings.response.containment.targets:
            works["actions"] = self._act
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(Loop(name, stop, self._runtime.health).run(work), name=name)
                for name, work in works.items()
            ]
            tasks.append(group.create_task(self._consume(), name="consume"))
            await stop.wait()
            self._halt.set()
            await asyncio.wait(tasks, timeout=_LEAVE_S)
            for task in tasks:
                task.cancel()
        await self._producer.stop(_LEAVE_S)

    def status(self) -> dict[str, object]:
        """Return the role's part of `davylamp status`."""
        return {
            "incidents": self._standing.open_incidents,
            "actions": dict(self._standing.actions),
            "open_breakers": dict(self._standing.breakers),
            "findings": {"read": self._intake.read, "unreadable": self._intake.bad},
            "lost_before_read": dict(self._intake.lost_records),
        }

    def close(self) -> None:
        """Give every connection back; a step that waits stops waiting."""
        self._halt.set()
        for notifier in self._notifiers.values():
            notifier.close()
        if self._cluster is not None:
            self._cluster.kubernetes.close()
        self._database.close()

    def _make_worker(self, settings: Settings, runtime: Runtime) -> Worker:
        self._cluster = needs_of(settings) if settings.response.containment.targets else None
        vault = settings.vault
        token = vault.token.reveal if vault.token.given() else str
        self._vault = VaultClient(vault.address, token, timeout_s=vault.timeout_s, ca_file=vault.ca_file)
        for_steps = VaultClient(vault.address, token, timeout_s=vault.timeout_s, ca_file=vault.ca_file)
        watch = Watch.of(settings, self._database, lambda: self._standing.policy.own_identities)
        tools = Tools(settings, for_steps, self._sleep, lambda: SecretText(secrets.token_urlsafe(24)), watch)
        return Worker(
            name=runtime.worker,
            store=self._store,
            handlers={**handlers(tools), **(containments(self._cluster) if self._cluster else {})},
            clock=runtime.clock,
            lease_s=settings.response.lease_s,
            backoff=_backoff,
            policy=lambda: self._standing.policy,
            stopping=self._halt.is_set,
            telemetry=RoleTelemetry(runtime.health, self._metrics),
        )

    def _sleep(self, seconds: float) -> None:
        """Sleep in a step; a stop ends it. Raises StopRequestedError."""
        if self._halt.wait(seconds):
            raise StopRequestedError

    def _assigned(self) -> None:
        self._runtime.health.started = True

    async def _publish(self, sender: OutboxPublisher) -> float:
        """Send once the topics are made: a broker may make one that it is asked for, as it likes."""
        return await sender.work() if self._topics.is_set() else IDLE_S

    async def _consume(self) -> None:
        if await topics_made(self._settings, self._runtime.stop, self._kafka.part("admin")):
            self._topics.set()
            await self._consumer.run()

    async def _promote(self) -> float:
        """Judge what waits: after each batch of findings, when somebody decided, and each second."""
        self._woken.clear()
        said = await asyncio.to_thread(self._said)
        if await asyncio.to_thread(self._judge):
            self._queued.set()
        else:
            await self._rest(said)
        return 0.0

    async def _rest(self, said: object) -> None:
        """Wait a second; new findings, a stop, or a word of people since `said` end it sooner."""
        for _ in range(round(PROMOTE_S / VOTES_S)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_either(self._woken, self._runtime.stop), VOTES_S)
                return
            if await asyncio.to_thread(self._said) != said:
                return

    def _said(self) -> object:
        with self._database.reading() as connection:
            return approvals.last(connection)

    def _judge(self) -> int:
        now = self._runtime.clock()
        changed = promote(self._database, now, self._standing.policy)
        for action in changed:
            if action.state != "proposed":
                self._metrics.promotions.labels(action.state).inc()
            for verdict in action.verdicts:
                if not verdict.passed:
                    self._metrics.guard_trips.labels(verdict.name).inc()
        self._standing.count(self._store, self._metrics, now)
        return sum(action.state != "proposed" for action in changed)

    async def _act(self) -> float:
        """Do one action; not before we know who we are, or our own reads would look like a thief's."""
        if self._settings.response.targets and not self._standing.identified:
            return WORK_S
        self._queued.clear()
        if not await asyncio.to_thread(self._worker.run_once):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_either(self._queued, self._runtime.stop), WORK_S)
        return 0.0


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _until_stopped(work: object, stop: asyncio.Event) -> bool:
    """Await `work`; return False when `stop` came first."""
    task = asyncio.ensure_future(work)  # type: ignore[arg-type]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
        return False
    task.result()
    return True


def _backoff(failures: int) -> float:
    """Return 0.5 s doubling to 10 s, with up to a quarter more so that workers do not march in step."""
    wait_s = min(FIRST_BACKOFF_S * 2 ** max(0, failures - 1), LONGEST_BACKOFF_S)
    return wait_s * (1 + random.random() / 4)  # noqa: S311 - spreads retries, guards nothing


def _database_url(settings: Settings) -> str:
    if not settings.response.database_url.given():
        raise ConfigurationError(
            [Problem("settings", "response.database_url", "is required; give value or file")]
        )
    return settings.response.database_url.reveal()
