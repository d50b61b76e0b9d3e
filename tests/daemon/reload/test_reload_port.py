"""Who may ask for a reload over HTTP: a caller on this machine, while the port is bound to it alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from daemon.health_server import server
from daemon.runtime import Health, Runtime


def port_bound_to(host: str) -> Any:
    registry = CollectorRegistry()
    runtime = Runtime("detect", Health(time.time, registry), registry, time.time, asyncio.Event())
    return server(runtime, host, 0).config.app


async def asked(bound_to: str, caller: str, name: str) -> int:
    transport = httpx.ASGITransport(port_bound_to(bound_to), client=(caller, 40_000))
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.post(f"http://{name}:8481/reload")).status_code


@pytest.mark.parametrize(
    ("bound_to", "caller", "name", "code"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "127.0.0.1", "localhost", 200),
        ("::1", "::1", "[::1]", 200),
        ("127.0.0.1", "10.1.2.3", "127.0.0.1", 403),
        ("127.0.0.1", "127.0.0.1", "rebound.example", 403),
        ("127.0.0.1", "127.0.0.1", "10.1.2.3", 403),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1", 404),
        ("0.0.0.0", "10.1.2.3", "127.0.0.1", 404),
    ],
)
async def test_only_a_caller_on_this_machine_reloads(
    bound_to: str, caller: str, name: str, code: int
) -> None:
    assert await asked(bound_to, caller, name) == code
