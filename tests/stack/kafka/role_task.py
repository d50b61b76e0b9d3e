"""A role inside the test's own process, for questions that need no crash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from prometheus_client import CollectorRegistry

from config.settings import Role, Settings
from daemon.runtime import Health, Runtime
from daemon.wiring import role_function

_STOP_S: Final = 12.0
_LOOK_S: Final = 0.05


class RoleTask:
    """What a role inside this process says about itself."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def ready(self) -> bool:
        """Whether it is ready."""
        return self._runtime.health.ready()

    def status(self) -> dict[str, Any]:
        """Return its part of `davylamp status`, empty before it has begun."""
        return self._runtime.status()

    def kafka_detail(self) -> str:
        """Return what readiness says about Kafka."""
        known = self._runtime.health.dependencies.get("kafka")
        return known.detail if known is not None else ""

    def counted(self, source: str, name: str) -> int:
        """Return one of detect's counters."""
        return self.status().get("conservation", {}).get(source, {}).get(name, 0)

    def lag(self, place: str) -> int | None:
        """Return the lag of `topic/partition`, None when it is not ours."""
        return self.status().get("lag", {}).get(place)


@asynccontextmanager
async def role_task(role: Role, document: Mapping[str, Any]) -> AsyncIterator[RoleTask]:
    """Run the role as long as the block lasts; it has to stop within 12 s."""
    registry = CollectorRegistry()
    runtime = Runtime(role, Health(time.time, registry), registry, time.time, asyncio.Event())
    task = asyncio.ensure_future(role_function(role)(Settings.model_validate(document), runtime))
    try:
        yield RoleTask(runtime)
    finally:
        runtime.stop.set()
        await asyncio.wait_for(task, _STOP_S)


async def becomes(condition: Callable[[], bool], what: Callable[[], object], timeout_s: float = 40.0) -> None:
    """Wait until `condition()`. Raises AssertionError with `what()`."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, what()
        await asyncio.sleep(_LOOK_S)
