"""The role: builds the Faust app inside the running loop, starts it, watches it, stops it."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, cast

import faust
import structlog
from faust import streams

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from connectors.kafka.topics import FINDINGS, FLOWS, MATCHES
from daemon.holding_metrics import HitsCollector
from daemon.reloading_rules import StreamRules
from daemon.roles.correlate import application, broker
from daemon.roles.correlate.acknowledging import Discipline
from daemon.roles.correlate.application import SEND_TIMEOUT_S
from daemon.roles.correlate.error import StoppedWorkingError
from daemon.roles.correlate.evaluation import Evaluator, Record
from daemon.roles.correlate.fence import GroupFence
from daemon.roles.correlate.flows import FlowEvaluator
from daemon.roles.correlate.holding import HoldingPublisher
from daemon.roles.correlate.live import CorrelateRules
from daemon.roles.correlate.matches import MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.publishing import Publisher, TopicPublisher
from daemon.roles.correlate.reading import Reading
from daemon.roles.correlate.table import StateTable
from daemon.roles.correlate.watermark import Watermarks
from daemon.runtime import Runtime

_LOOK_EVERY_S = 1.0
_FINISH_S = 5.0
_DAY_S = 86400.0


async def run(
    settings: Settings,
    runtime: Runtime,
    *,
    exit_process: Callable[[int], object] = os._exit,
    publisher: Publisher | None = None,
) -> None:
    """Correlate until `runtime.stop` is set. A failed batch calls `exit_process(70)`, which must not return.

    `publisher` replaces `davylamp.findings`. Raises StoppedWorkingError when Faust ends by itself, and
    ConfigurationError on a Faust that would acknowledge what it skips.
    """
    _check_faust()
    if not await broker.topics_made(settings, runtime.health, runtime.stop):
        return
    correlate = _Correlate(settings, runtime, exit_process, publisher)
    try:
        await correlate.work()
    finally:
        await correlate.app.stop()


def _check_faust() -> None:
    """Raise ConfigurationError without compiled streams: the pure ones acknowledge what they skip."""
    if getattr(streams, "_CStreamIterator", None) is None:
        found = "has no compiled streams here (no wheel for this platform, or NO_CYTHON is set)"
        way_out = "install its wheel: the pure Python streams acknowledge records that were not evaluated"
        raise ConfigurationError([Problem("faust-streaming", "", f"{found}; {way_out}")])


class _Correlate:
    """The app, its tables and agents, wired."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        exit_process: Callable[[int], object],
        publisher: Publisher | None,
    ) -> None:
        self._runtime = runtime
        self._exit = exit_process
        self._settings = settings
        self._metrics = Metrics(runtime.registry)
        self.app = app = application.build(settings)
        kinds = settings.kafka.topics.kinds()
        self._kinds = sorted(set(kinds.values()))
        self._rules = CorrelateRules(StreamRules(settings.detection))
        out = publisher or TopicPublisher(application.raw_topic(app, FINDINGS), SEND_TIMEOUT_S)
        self._publisher = self._rules.holding = HoldingPublisher(out, self._rules.gate)
        runtime.registry.register(HitsCollector("correlate", lambda: self._publisher.hits.counts))
        self._matches = MatchEvaluator(
            self._rules.first,
            lambda: Watermarks(kinds, settings.detection.lateness.of),
            self._metrics,
        )
        self._flows = FlowEvaluator(settings.detection.learning_days * _DAY_S, self._metrics, kinds)
        self._tables: dict[str, StateTable] = {}
        self._readings = [
            self._reading("correlations", MATCHES, self._matches, self._know),
            self._reading("baselines", FLOWS, self._flows),
        ]
        cast(Any, app.on_partitions_revoked).connect(self._on_revoked)
        runtime.status = self.status
        self._rules.evaluator = self._matches
        runtime.reloading.add(self._rules, self._rules.seen)

    async def work(self) -> None:
        """Start, then look after Faust and the broker until told to stop."""
        stop = self._runtime.stop
        self.app.finalize()
        starting = asyncio.create_task(self.app.start())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await asyncio.wait(
                    {starting, stopping}, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
                if self.app.crashed or self.app.should_stop:
                    raise StoppedWorkingError("Faust stopped by itself")
                if starting.done():
                    starting.result()
                    await self._look_after()
            await self._finish()
        finally:
            for task in (starting, stopping):
                task.cancel()

    async def _finish(self) -> None:
        """Let the batches in hand be acknowledged before Faust stops; the next owner need not read them."""
        try:
            async with asyncio.timeout(_FINISH_S):
                await asyncio.gather(*(reading.on_revoked() for reading in self._readings))
        except TimeoutError:
            structlog.get_logger("davylamp.correlate").warning("stopped within a batch, it is read again")

    async def _look_after(self) -> None:
        health = self._runtime.health
        health.started = cast(Any, self.app.tables).recovery.completed.is_set()
        health.report(broker.NAME, await broker.answers(self.app))
        self._show()
        await broker.pause(self._runtime.stop, _LOOK_EVERY_S)

    def status(self) -> dict[str, object]:
        """Return the role's part of `davylamp status`."""
        return {
            "counts": self._metrics.counts(),
            "groups": {name: table.size() for name, table in self._tables.items()},
            "watermarks": {k: at if math.isfinite(at) else None for k, at in self._reached()},
            "findings_held": dict(self._publisher.held),
            "exception_hits": dict(self._publisher.hits.counts),
            "generation": self.app.consumer_generation_id,
        }

    def _reached(self) -> list[tuple[str, float]]:
        return [(kind, self._matches.lowest([kind])) for kind in self._kinds]

    async def _know(self, records: Sequence[Record]) -> None:
        reloading = self._runtime.reloading
        await self._rules.know(records, reloading.standings[self._rules.name].seen, reloading.reload)

    def _reading(
        self,
        name: str,
        topic: str,
        evaluator: Evaluator,
        prepare: Callable[[Sequence[Record]], Awaitable[object]] | None = None,
    ) -> Reading:
        app: faust.App = self.app
        table = self._tables[name] = application.table(app, name, self._settings.kafka.internal_partitions)
        fence = GroupFence(app, SEND_TIMEOUT_S)
        discipline = Discipline(evaluator, table, self._publisher, SEND_TIMEOUT_S, fence)
        reading = Reading(app, topic, discipline, self._metrics, self._exit, prepare)
        application.agent(app, topic, reading.run)
        return reading

    async def _on_revoked(self, _app: object, revoked: Collection[object], **_: object) -> None:
        if revoked:
            structlog.get_logger("davylamp.correlate").info("partitions revoked", partitions=len(revoked))
            await asyncio.gather(*(reading.on_revoked() for reading in self._readings))

    def _show(self) -> None:
        for kind, at in self._reached():
            self._metrics.watermark(kind, at, self._runtime.clock)
        for name, table in self._tables.items():
            self._metrics.open_groups.labels(name).set(table.size())
