"""The same pages over PostgreSQL, and the server really stopped and started again under them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from config.response import Response
from config.secret import Secret
from config.settings import Settings
from config.web import Web
from connectors.store import schema
from daemon.demo.parts.postgres import PostgresPart
from daemon.roles.web import run
from daemon.runtime import Health, Runtime

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresPart]:
    part = PostgresPart(tmp_path / "postgres")
    part.start()
    yield part
    part.remove()


async def test_postgresql_stopped_is_a_503_and_comes_back_by_itself(make_world, server, tokens) -> None:
    url = f"postgresql+psycopg://postgres:{server.superuser_password}@127.0.0.1:{server.port}/postgres"
    world = make_world(url)
    incident_id, action_id = world.breach()
    digest = next(row["digest"] for row in world.rows(schema.actions) if row["id"] == action_id)
    world.set_action(action_id, expires_at=time.time() + 900)
    web = Web(port=0, approvers=world.approvers)
    settings = Settings(web=web, response=Response(database_url=Secret(value=url)))
    registry = CollectorRegistry()
    role = Runtime("web", Health(time.time, registry), registry, time.time, asyncio.Event())
    running = asyncio.create_task(run(settings, role))
    await until(lambda: "url" in role.status() and role.health.ready())
    async with httpx.AsyncClient(base_url=str(role.status()["url"]), timeout=20) as browser:
        assert (await browser.get(f"/incidents/{incident_id}")).status_code == 200
        await asyncio.to_thread(server.stop)
        await until(lambda: not role.health.ready())
        answer = await browser.get("/")
        assert answer.status_code == 503 and "database cannot be reached" in answer.text
        assert server.superuser_password not in answer.text
        assert server.superuser_password not in role.health.dependencies["database"].detail
        await asyncio.to_thread(server.start)
        await until(role.health.ready)
        headers = {"authorization": f"Bearer {tokens['alice']}"}
        answer = await browser.post(
            f"/api/actions/{action_id}/approve", json={"digest": digest}, headers=headers
        )
        assert (answer.status_code, answer.json()["given"]) == (200, 1)
        role.stop.set()
        await asyncio.wait_for(running, 10)


async def until(condition, seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("waited in vain")
