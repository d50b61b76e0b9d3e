"""The running role: where it listens, what it refuses, the database away and back, how it ends."""

from __future__ import annotations

import asyncio
import hashlib
import time

import httpx
import pytest
from prometheus_client import CollectorRegistry

from config.errors import ConfigurationError
from config.response import Response
from config.secret import Secret
from config.settings import Settings
from config.web import Approver, Web
from connectors.store import schema
from daemon.roles.web import run
from daemon.runtime import Health, Runtime
from daemon.web.serving import check, is_loopback

ALICE = Approver(name="alice", token_sha256=hashlib.sha256(b"t").hexdigest())


def runtime() -> Runtime:
    registry = CollectorRegistry()
    return Runtime("web", Health(time.time, registry), registry, time.time, asyncio.Event())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "lamp.example"])
def test_beyond_loopback_without_approvers_is_refused_with_its_place(host) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(Web(host=host))
    assert caught.value.problems[0].key == "web.approvers"
    assert host in str(caught.value)
    check(Web(host=host, approvers=(ALICE,)))


@pytest.mark.parametrize(
    ("host", "so"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("example", False),
    ],
)
def test_loopback_is_known(host, so) -> None:
    assert is_loopback(host) is so


async def test_without_a_database_url_the_role_says_which_key(world) -> None:
    with pytest.raises(ConfigurationError, match=r"response\.database_url"):
        await run(Settings(), runtime())


async def until(condition, seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.mark.integration
async def test_the_role_serves_tells_its_address_and_stops(world) -> None:
    world.breach()
    settings = Settings(web=Web(port=0), response=Response(database_url=Secret(value=world.url)))
    role = runtime()
    running = asyncio.create_task(run(settings, role))
    await until(lambda: "url" in role.status() and role.health.ready())
    url = str(role.status()["url"])
    assert url.startswith("http://127.0.0.1:") and not url.endswith(":0")
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
        assert answer.status_code == 200 and "server" not in answer.headers
        assert "customer-records" in answer.text
        assert (await browser.get(url, headers={"host": "evil.example"})).status_code == 421
        assert (
            role.registry.get_sample_value("davylamp_web_requests_total", {"method": "GET", "status": "2xx"})
            == 1
        )
        began = time.monotonic()
        role.stop.set()
        await asyncio.wait_for(running, 10)
        assert time.monotonic() - began < 10


@pytest.mark.integration
async def test_a_database_away_is_said_and_recovers_by_itself(world) -> None:
    incident_id, _ = world.breach()
    settings = Settings(web=Web(port=0), response=Response(database_url=Secret(value=world.url)))
    role = runtime()
    running = asyncio.create_task(run(settings, role))
    await until(lambda: "url" in role.status() and role.health.ready())
    url = str(role.status()["url"])
    async with httpx.AsyncClient() as browser:
        with world.writer.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE switches RENAME TO switches_away")
        answer = await browser.get(url)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert "database cannot be reached" in answer.text
        assert (await browser.get(f"{url}/api/incidents")).json()["guard"] == "store"
        assert not role.health.ready()
        with world.writer.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE switches_away RENAME TO switches")
        await until(role.health.ready)
        assert (await browser.get(f"{url}/incidents/{incident_id}")).status_code == 200
    role.stop.set()
    await asyncio.wait_for(running, 10)
    assert world.rows(schema.switches) == []
