"""Each role's own loopback port: /healthz, /readyz, /metrics, /status."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import orjson
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.runtime import Runtime


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process that embeds it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: the role's own handlers stop it."""
        yield


def application(runtime: Runtime) -> Starlette:
    """Return the ASGI application of a role's health port."""
    up = Gauge(
        "davylamp_dependency_up", "1 if the outside system answers", ["dependency"], registry=runtime.registry
    )
    ready = Gauge("davylamp_ready", "1 if the role can do its work", registry=runtime.registry)

    def refresh() -> None:
        ready.set(1 if runtime.health.ready() else 0)
        for name, dependency in runtime.health.dependencies.items():
            up.labels(name).set(1 if dependency.up else 0)

    async def healthz(_: Request) -> Response:
        return _json({"role": runtime.role, "pid": os.getpid(), "worker": runtime.worker})

    async def readyz(_: Request) -> Response:
        body = {
            "ready": runtime.health.ready(),
            "started": runtime.health.started,
            "dependencies": _seen(runtime),
        }
        return _json(body, 200 if runtime.health.ready() else 503)

    async def metrics(_: Request) -> Response:
        refresh()
        return Response(generate_latest(runtime.registry), media_type=CONTENT_TYPE_LATEST)

    async def status(_: Request) -> Response:
        body = {
            "role": runtime.role,
            "pid": os.getpid(),
            "worker": runtime.worker,
            "ready": runtime.health.ready(),
            "dependencies": _seen(runtime),
            **runtime.status(),
        }
        return _json(body)

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/status", status),
    ]
    return Starlette(routes=routes)


def server(runtime: Runtime, host: str, port: int) -> QuietServer:
    """Return the server of the health port, not yet started."""
    config = uvicorn.Config(
        application(runtime),
        host=host,
        port=port,
        log_config=None,
        lifespan="off",
        access_log=False,
        server_header=False,
    )
    return QuietServer(config)


def _seen(runtime: Runtime) -> dict[str, object]:
    known = runtime.health.dependencies.items()
    return {name: {"up": d.up, "detail": d.detail, "since": d.since} for name, d in known}


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body, default=str), status, media_type="application/json")
