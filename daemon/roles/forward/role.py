"""The forward role: raw events, findings, incidents and audit to every SIEM target, each on its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Final

import structlog

from config.forwarding import FileTarget, Target
from config.settings import Settings
from connectors.kafka.metrics import ConservationCollector
from connectors.kafka.producer import ConfirmedProducer
from connectors.siem.catalogue import target_of
from daemon.roles.forward.canaries import Arrivals
from daemon.roles.forward.canary_metrics import ArrivalMetrics
from daemon.roles.forward.forwarder import Forwarder
from daemon.roles.kafka_health import KafkaHealth
from daemon.roles.kafka_topics import topics_made
from daemon.runtime import Runtime

_AGAIN_S: Final = 5.0
_LEAVE_S: Final = 1.5


async def run(settings: Settings, runtime: Runtime) -> None:
    """Forward to all targets until `runtime.stop` is set. A target that is away delays no other."""
    forward = _Forward(settings, runtime, random.SystemRandom().random)
    if await topics_made(settings, runtime.stop, forward.health.part("admin")):
        await forward.work()


class _Forward:
    """The forwarders of all targets, wired."""

    def __init__(self, settings: Settings, runtime: Runtime, jitter: Callable[[], float]) -> None:
        self._runtime = runtime
        self.health = KafkaHealth(runtime.health)
        self._producer = ConfirmedProducer(settings.kafka, self.health.part("producer"))
        self._assigned: set[str] = set()
        self._arrivals = Arrivals(
            settings.canary,
            frozenset(settings.kafka.topics.kinds().values()),
            tuple(target.name for target in settings.forwarding.targets),
            runtime.clock,
            ArrivalMetrics(runtime.registry),
        )
        self._forwarders = [
            self._forwarder(settings, target, jitter) for target in settings.forwarding.targets
        ]
        runtime.registry.register(
            ConservationCollector("forward", lambda: {f.name: f.standings() for f in self._forwarders})
        )
        runtime.status = self.status

    async def work(self) -> None:
        """Run every target until stopped."""
        if not self._forwarders:
            self._runtime.health.started = True
            await self._runtime.stop.wait()
        await asyncio.gather(*(self._supervised(forwarder) for forwarder in self._forwarders))
        await self._arrivals.close()
        await self._producer.stop(_LEAVE_S)

    def status(self) -> dict[str, object]:
        """Return the role's part of `davylamp status`, by target."""
        conservation: dict[str, object] = {}
        violations: list[str] = []
        lost: dict[str, object] = {}
        for forwarder in self._forwarders:
            conservation[forwarder.name], broken, lost[forwarder.name] = forwarder.status()
            violations += broken
        lag = {
            forwarder.name: sum(standing.lag for standing in forwarder.standings().values())
            for forwarder in self._forwarders
        }
        return {
            "conservation": conservation,
            "violations": violations,
            "lost_before_read": lost,
            "lag": lag,
            "canary": self._arrivals.status(),
        }

    async def _supervised(self, forwarder: Forwarder) -> None:
        """Keep a target's trouble to itself: an error is logged, shown by readiness, and tried again."""
        stop = self._runtime.stop
        while not stop.is_set():
            try:
                await forwarder.run()
            except Exception as error:
                structlog.get_logger("davylamp.forward").exception("forwarding ends", target=forwarder.name)
                self._runtime.health.report(forwarder.name, False, f"{type(error).__name__}: starts again")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _AGAIN_S)

    def _forwarder(self, settings: Settings, target: Target, jitter: Callable[[], float]) -> Forwarder:
        runtime = self._runtime
        return Forwarder(
            settings,
            target_of(_placed(settings, target), settings.forwarding.namespace, jitter),
            self._producer,
            stop=runtime.stop,
            clock=runtime.clock,
            jitter=jitter,
            kafka_report=self.health.part(f"consumer {target.name}"),
            target_report=lambda up, detail: runtime.health.report(target.name, up, detail),
            assigned=lambda: self._note(target.name),
            arrivals=self._arrivals,
        )

    def _note(self, target: str) -> None:
        self._assigned.add(target)
        self._runtime.health.started = len(self._assigned) == len(self._forwarders)


def _placed(settings: Settings, target: Target) -> Target:
    """Put a file target's relative folder below the state folder."""
    if isinstance(target, FileTarget):
        return target.model_copy(update={"folder": settings.state_dir / target.folder})
    return target
