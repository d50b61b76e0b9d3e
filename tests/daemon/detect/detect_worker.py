"""A detect worker as a process of its own, for tests that kill it. Run: detect_worker.py SETTINGS_JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from config.settings import Settings
from daemon.roles.detect import run
from daemon.runtime import Health, Runtime


async def main(settings: Settings) -> None:
    """Detect until SIGTERM."""
    registry = CollectorRegistry()
    runtime = Runtime("detect", Health(time.time, registry), registry, time.time, asyncio.Event())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runtime.stop.set)
    await run(settings, runtime)


if __name__ == "__main__":
    asyncio.run(main(Settings.model_validate_json(Path(sys.argv[1]).read_bytes())))
