"""An orderly rotation under twenty real consumer processes, two of which do not move."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from prometheus_client import CollectorRegistry

from config.consumers import Consumers
from config.settings import Settings
from config.web import Approver, Web
from connectors.consumers.watch import Watch
from connectors.rotation.catalogue import handlers
from connectors.store.database import Database
from connectors.store.reading import action as read_action
from daemon.runtime import Health
from daemon.web.application import create
from daemon.web.audit_budget import AuditBudget
from daemon.web.consumers_view import table
from daemon.web.metrics import WebMetrics
from daemon.web.site import Site
from playbooks.policy import ApproverRef, Policy

NAMES = [f"consumer-{number:02}" for number in range(20)]
STUBBORN = NAMES[7:9]
TOKEN = "alice-token-0123456789abcdef0123456789abcdef"
ORIGIN = "http://127.0.0.1:8480"
FLEET = Path(__file__).with_name("consumer_fleet.py")


@contextlib.contextmanager
def fleet(scene: Any, target: Any, log: Path) -> Iterator[None]:
    """Twenty processes at work with the half in use."""
    told = {
        "vault": scene.vault.address,
        "token": scene.vault.call("POST", "auth/token/create", {})["auth"]["client_token"],
        "pointer": f"{target.pointer_mount}/data/{target.pointer_path}",
        "dsn": scene.database.dsn_for("nobody", "nothing"),
        "names": NAMES,
        "stubborn": STUBBORN,
        "log": str(log),
    }
    process = subprocess.Popen([sys.executable, str(FLEET), json.dumps(told)], stdin=subprocess.PIPE)
    try:
        until = time.monotonic() + 30
        while sessions(scene, target.first) != set(NAMES):
            assert time.monotonic() < until, sessions(scene, target.first)
            time.sleep(0.1)
        yield
    finally:
        process.communicate(timeout=10)


def sessions(scene: Any, user: str) -> set[str]:
    with psycopg.connect(scene.database.dsn, autocommit=True) as connection:
        asked = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE usename = %s"
        return {str(row[0]) for row in connection.execute(asked, (user,))}


def site_of(desk: Any) -> Site:
    approver = Approver(name="alice", token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest())
    return Site(
        database=Database(desk.url, role="web"),
        settings=Settings(web=Web(approvers=(approver,))),
        playbooks={},
        clock=time.time,
        entropy=lambda size: b"0" * size,
        health=Health(time.time, CollectorRegistry()),
        metrics=WebMetrics(CollectorRegistry()),
        origin=ORIGIN,
        open_reading=True,
        budget=AuditBudget(),
    )


async def asked(desk: Any, method: str, path: str, **options: Any) -> httpx.Response:
    site = site_of(desk)
    try:
        transport = httpx.ASGITransport(app=create(site))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return await client.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"}, **options)
    finally:
        site.database.close()


def watched(scene: Any, desk: Any, target: Any, inventory: Path) -> Any:
    """Return the handlers of settings with an inventory and a window of 2 s."""
    made = scene.settings(target)
    consumers = Consumers(inventory=(inventory,), window_s=2.0)
    response = made.response.model_copy(update={"consumers": consumers})
    settings = made.model_copy(update={"response": response})
    tools = scene.tools(settings)
    watch = Watch.of(settings, desk.database, lambda: ())
    object.__setattr__(tools, "consumers", watch)
    return handlers(tools)


@pytest.mark.claim(
    "of 20 real consumer processes the two that do not move are named before anything is killed, 18 move "
    "without a failure, and an approver cuts the two off by name",
    on=("vault", "postgres"),
)
async def test_stubborn_consumers_are_named_waited_for_and_cut_off_by_name(
    scene: Any, desk: Any, told: Any, tmp_path: Path
) -> None:
    target = scene.pair(consumers_wait_s=120.0)
    inventory = tmp_path / "consumers.yaml"
    entries = [{"name": "billing", "application": NAMES[0], "address": "127.0.0.0/8"}]
    inventory.write_text(yaml.safe_dump({target.key: entries}))
    old = scene.vault.call("GET", f"database/static-creds/{target.first}")["data"]["password"]
    log = tmp_path / "failures"
    halt = threading.Event()
    policy = Policy(approvers=(ApproverRef("alice"),))
    worker = desk.worker(
        watched(scene, desk, target, inventory),
        told,
        backoff=lambda _n: 0.5,
        policy=lambda: policy,
    )

    def left(action: str) -> tuple[str, ...]:
        with desk.database.reading() as connection:
            record = read_action(connection, action)
        found = table(record) if record is not None else None
        return tuple(found.left) if found is not None and found.looks > 0 and found.digest else ()

    def work() -> None:
        while not halt.is_set():
            worker.run_once()
            halt.wait(0.1)

    with fleet(scene, target, log):
        action = desk.queue(target, mode="orderly")
        thread = threading.Thread(target=work)
        thread.start()
        try:
            until = time.monotonic() + 60
            while left(action) != tuple(STUBBORN):
                assert time.monotonic() < until, (left(action), desk.action(action)["reason"])
                await asyncio.sleep(0.2)

            shown = (await asked(desk, "GET", f"/actions/{action}")).text
            assert all(f'<strong>{name}</strong> <span class="chip bad">' in shown for name in STUBBORN)
            assert '<strong>billing</strong> <span class="chip good">moved' in shown
            known = (await asked(desk, "GET", f"/api/actions/{action}")).json()["consumers"]
            assert len(known["known"]) == 20
            assert sessions(scene, target.first) == set(STUBBORN), "they are still at work"
            scene.login(target.model_copy(update={"name": target.first}), old).close()

            stale = await asked(desk, "POST", f"/api/actions/{action}/force", json={"digest": "0" * 64})
            assert (stale.status_code, stale.json()["guard"]) == (409, "digest")
            body = {"digest": known["cut_off_digest"]}
            agreed = await asked(desk, "POST", f"/api/actions/{action}/force", json=body)
            assert agreed.status_code == 200, agreed.text

            until = time.monotonic() + 30
            while desk.action(action)["state"] in ("executing", "verifying"):
                assert time.monotonic() < until, desk.action(action)["reason"]
                await asyncio.sleep(0.1)
        finally:
            halt.set()
            thread.join(20)
        assert desk.action(action)["state"] == "succeeded", desk.action(action)["reason"]
        proof = desk.proof(action)
        assert proof["grade"] == "A"
        assert "consumers" not in {check["name"] for check in proof["checks"]}, "they did not move"
        await asyncio.sleep(1.0)
        assert sessions(scene, target.second) == set(NAMES) - set(STUBBORN)
    failed = {line.split()[1] for line in log.read_text().splitlines()}
    assert failed == set(STUBBORN), "nobody who moved was ever without a credential"
