"""Each role's own loopback port: /healthz, /readyz, /metrics, /status, and POST /reload.

/reload is there only while the port is bound to a loopback address, and answers only a caller on it that
names it by a loopback name and is no page in a browser (those send `Origin` with each POST, and cannot set
`Host`). It takes no parameter: who gets through makes the role read its own files again, nothing else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Generator
from typing import Final

import orjson
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.runtime import Runtime

_OF_BROWSERS: Final = ("origin", "sec-fetch-site", "referer")


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process that embeds it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing: the role's own handlers stop it."""
        yield


def application(runtime: Runtime, *, reloadable: bool = False) -> Starlette:
    """Return the ASGI application of a role's health port; `reloadable`: it is bound to loopback."""
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
            "reload": runtime.reloading.status(),
        }
        return _json(body)

    async def reload(request: Request) -> Response:
        if (reason := _foreign(request)) is not None:
            return _json({"refused": reason}, 403)
        answer = await runtime.reloading.reload("POST")
        return _json(answer, 200 if answer["ok"] else 422)

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/status", status),
    ]
    if reloadable:
        routes.append(Route("/reload", reload, methods=["POST"]))
    return Starlette(routes=routes)


def server(runtime: Runtime, host: str, port: int) -> QuietServer:
    """Return the server of the health port, not yet started."""
    config = uvicorn.Config(
        application(runtime, reloadable=_loopback(host)),
        host=host,
        port=port,
        log_config=None,
        lifespan="off",
        access_log=False,
        server_header=False,
    )
    return QuietServer(config)


def _foreign(request: Request) -> str | None:
    """Return why a caller may not reload; None: he may."""
    if request.client is None or not _loopback(request.client.host):
        return "not from this machine"
    if not _loopback(request.url.hostname or ""):
        return "the Host is no loopback name"
    if any(name in request.headers for name in _OF_BROWSERS):
        return "from a browser"
    return None


def _loopback(host: str) -> bool:
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _seen(runtime: Runtime) -> dict[str, object]:
    known = runtime.health.dependencies.items()
    return {name: {"up": d.up, "detail": d.detail, "since": d.since} for name, d in known}


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body, default=str), status, media_type="application/json")
