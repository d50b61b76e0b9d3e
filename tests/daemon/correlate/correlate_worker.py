"""A correlate worker as a process of its own, for tests that kill it.

Run: correlate_worker.py SETTINGS_JSON READY_FILE [refuse]. It makes READY_FILE; `refuse` breaks the sends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from config.settings import Settings
from daemon.roles.correlate import run
from daemon.runtime import Health, Runtime
from detectors.finding import Finding


class Refusing:
    """A publisher whose broker refuses every finding."""

    async def publish(self, findings: Sequence[Finding]) -> None:
        """Refuse any finding."""
        if findings:
            raise ConnectionError("refused")


async def tell(health: Health, ready: Callable[[], None]) -> None:
    """Call `ready` once the role is."""
    while not health.ready():  # noqa: ASYNC110 - health has no event
        await asyncio.sleep(0.02)
    ready()


async def main(settings: Settings, ready: Path, refuse: bool) -> None:
    """Correlate until SIGTERM."""
    registry = CollectorRegistry()
    runtime = Runtime("correlate", Health(time.time, registry), registry, time.time, asyncio.Event())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runtime.stop.set)
    working = asyncio.create_task(run(settings, runtime, publisher=Refusing() if refuse else None))
    telling = asyncio.create_task(tell(runtime.health, ready.touch))
    await working
    telling.cancel()


if __name__ == "__main__":
    given = Settings.model_validate_json(Path(sys.argv[1]).read_bytes())
    uvloop.run(main(given, Path(sys.argv[2]), "refuse" in sys.argv[3:]))
