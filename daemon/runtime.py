"""What every role gets from the process that runs it: identity, clock, health, metrics, a way to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry

from config.settings import Role
from daemon.reloading import Reloading


@dataclass(slots=True)
class Dependency:
    """The last word about one outside system: up or away, why, and since when (seconds, UTC)."""

    up: bool
    detail: str
    since: float


@dataclass(slots=True)
class Health:
    """Readiness by dependency. A role is ready when it has reported `started` and every dependency is up."""

    clock: Callable[[], float]
    registry: CollectorRegistry
    dependencies: dict[str, Dependency] = field(default_factory=dict)
    started: bool = False

    def report(self, name: str, up: bool, detail: str = "") -> None:
        """Record that `name` is up or away; a change is logged once. `detail` holds no secret."""
        known = self.dependencies.get(name)
        if known is None or known.up != up:
            log = structlog.get_logger("davylamp.health")
            (log.info if up else log.warning)("dependency", name=name, up=up, detail=detail)
            self.dependencies[name] = Dependency(up, detail, self.clock())
        elif known.detail != detail:
            known.detail = detail

    def ready(self) -> bool:
        """Return whether the role can do its work now."""
        return self.started and all(d.up for d in self.dependencies.values())


@dataclass(slots=True)
class Runtime:
    """One role in one process. `status` returns the role's part of `davylamp status` as JSON."""

    role: Role
    health: Health
    registry: CollectorRegistry
    clock: Callable[[], float]
    stop: asyncio.Event
    worker: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    status: Callable[[], dict[str, object]] = field(default=dict)
    reloading: Reloading = field(init=False)

    def __post_init__(self) -> None:
        """Make what reloads the role's parts; a role adds them when it has loaded them."""
        self.reloading = Reloading(self.registry, self.clock)
