"""One role in this process: logs, clock, health port, signals, then the role until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence

import structlog
import uvloop
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from config.changes import changed_settings
from config.errors import ConfigurationError
from config.scope import scoped
from config.settings import Role, Settings
from daemon import logs
from daemon.garbage import settle
from daemon.health_server import server
from daemon.reloading_watch import watch
from daemon.runtime import Health, Runtime
from daemon.wiring import role_function

_PR_SET_PDEATHSIG = 1


def run_role(
    role: Role,
    settings: Settings,
    *,
    parent: int | None = None,
    reread: Callable[[], Settings] | None = None,
) -> int:
    """Run `role` until SIGTERM or SIGINT; return the exit code. `parent` = pid whose death ends us.

    `reread` gives the settings as they stand in the file now, for the answer to a reload.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if parent is not None:
        end_with_parent(parent)
    logs.configure(settings.operation.log_level, role)
    settle()
    return uvloop.run(_serve(role, scoped(settings, role), reread))


def end_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent dies; exit at once if it is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(0)


async def _serve(role: Role, settings: Settings, reread: Callable[[], Settings] | None) -> int:
    log = structlog.get_logger("davylamp")
    registry = CollectorRegistry()
    for collector in (GCCollector, PlatformCollector, ProcessCollector):
        collector(registry=registry)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runtime = Runtime(role, Health(time.time, registry), registry, time.time, stop)
    reloading = runtime.reloading
    reloading.settings_changed = _changes(role, settings, reread)
    loop.add_signal_handler(signal.SIGHUP, reloading.ask, "SIGHUP")
    port = settings.operation.health_ports.get(role, 0)
    health = server(runtime, settings.operation.health_host, port)
    serving = asyncio.create_task(health.serve())
    working = asyncio.ensure_future(role_function(role)(settings, runtime))
    watching = asyncio.create_task(watch(reloading, settings.operation.reload_watch_s))
    log.info("started", pid=os.getpid())
    try:
        await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done() and not working.done():
            stop.set()
        return await _finish(working, settings.operation.stop_timeout_s, log)
    finally:
        watching.cancel()
        health.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, SystemExit):
            await serving


def _changes(
    role: Role, settings: Settings, reread: Callable[[], Settings] | None
) -> Callable[[], Sequence[str]] | None:
    return None if reread is None else lambda: changed_settings(settings, scoped(reread(), role))


async def _finish(working: asyncio.Future[None], timeout_s: float, log: structlog.stdlib.BoundLogger) -> int:
    try:
        await asyncio.wait_for(working, timeout_s)
    except TimeoutError:
        log.error("did not stop in time", timeout_s=timeout_s)
        return 70
    except ConfigurationError as error:
        for problem in error.problems:
            log.error("configuration refused", problem=str(problem))
        return 2
    except Exception as error:
        log.exception("role failed", error=type(error).__name__)
        return 70
    log.info("stopped")
    return 0
