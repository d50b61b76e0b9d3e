"""The web role's life: bind, serve, watch the database, stop."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final

import structlog
import uvicorn

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from config.web import Web
from connectors.store import reading
from connectors.store.database import Database
from connectors.store.error import StoreError
from daemon.runtime import Runtime
from daemon.web.application import create
from daemon.web.audit_budget import AuditBudget
from daemon.web.metrics import WebMetrics
from daemon.web.site import LOOPBACK_NAMES, Site
from playbooks.playbook import Playbook

PROBE_S: Final = 1.0
GRACE_S: Final = 5
MAX_CONNECTIONS: Final = 128


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process's `stop` event is the only way to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check(web: Web) -> None:
    """Raise ConfigurationError when pages would be reachable by others and nobody could be told apart."""
    if web.approvers or is_loopback(web.host):
        return
    message = (
        f"host {web.host} can be reached from other machines: name at least one approver "
        "(name, token_sha256), or listen on 127.0.0.1"
    )
    raise ConfigurationError([Problem("settings", "web.approvers", message)])


async def serve(
    settings: Settings, runtime: Runtime, database: Database, playbooks: Mapping[str, Playbook]
) -> None:
    """Serve pages and API until `runtime.stop`. Raises ConfigurationError, OSError (the port is taken)."""
    check(settings.web)
    with _bound(settings.web) as listener:
        origin = settings.web.base_url or _origin(listener)
        site = Site(
            database=database,
            settings=settings,
            playbooks=playbooks,
            clock=runtime.clock,
            entropy=secrets.token_bytes,
            health=runtime.health,
            metrics=WebMetrics(runtime.registry),
            origin=origin.rstrip("/"),
            open_reading=is_loopback(settings.web.host) and settings.web.base_url is None,
            budget=AuditBudget(),
        )
        runtime.status = lambda: {"url": site.origin}
        server = _Server(_config(site))
        watching = asyncio.create_task(_watch(site, runtime))
        stopping = asyncio.create_task(_stop_with(runtime, server))
        try:
            structlog.get_logger("davylamp.web").info("listening", url=site.origin)
            runtime.health.started = True
            await server.serve([listener])
        finally:
            for task in (watching, stopping):
                task.cancel()
            await asyncio.gather(watching, stopping, return_exceptions=True)


def _config(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        create(site),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        lifespan="off",
        http="h11",
        ws="none",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=32 * 1024,
    )


@contextmanager
def _bound(web: Web) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.create_server((web.host, web.port), family=family, backlog=128) as listener:
        listener.setblocking(False)
        yield listener


def _origin(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _watch(site: Site, runtime: Runtime) -> None:
    """Say whether the database answers, each second, so that readiness tells the truth and recovers."""
    while True:
        try:
            await site.read(reading.switches)
            runtime.health.report("database", True)
        except StoreError as error:
            runtime.health.report("database", False, str(error))
        await asyncio.sleep(PROBE_S)


async def _stop_with(runtime: Runtime, server: uvicorn.Server) -> None:
    await runtime.stop.wait()
    structlog.get_logger("davylamp.web").info("stopping")
    server.should_exit = True
