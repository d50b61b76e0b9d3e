"""Playbooks read again while respond decides and web shows: a whole set at once, or the old one stays."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from config.response import Response
from config.settings import Settings
from connectors.store.database import Database
from daemon.reloading import Reloading
from daemon.reloading_playbooks import LivePlaybooks
from daemon.reloading_watch import watch
from daemon.roles.respond.policy import policy_of
from daemon.roles.respond.role import Respond
from daemon.roles.respond.standing import Standing
from daemon.runtime import Health, Runtime
from playbooks.library import builtin


def playbook(name: str, *, version: str = "1.0.0") -> str:
    """Return a shipped playbook under another id, for no rule."""
    shipped = next(one.text for one in builtin() if one.file.endswith("pod-exec.md"))
    lines = [line for line in shipped.splitlines() if not line.startswith(("rules:", "version:"))]
    text = "\n".join(lines).replace("id: pod-exec", f"id: {name}\nversion: {version}\nrules: []", 1)
    return text + "\n"


@pytest.fixture
def folder(volume: Any) -> Any:
    volume.put({"first.md": playbook("first")})
    return volume


@pytest.fixture
def live(folder: Any) -> LivePlaybooks:
    return LivePlaybooks(Response(playbooks=(folder.folder,)))


async def test_a_renewed_volume_is_another_library_for_respond_and_web(
    live: LivePlaybooks, folder: Any, registry: CollectorRegistry
) -> None:
    standing = Standing(policy_of(Settings(), {("vault_entity", "e")}, playbooks=live.now))
    live.changed = standing.play
    reloading = Reloading(registry, time.time)
    reloading.add(live, live.seen)
    held = standing.policy
    before = live.digest
    folder.put({"first.md": playbook("first", version="2.0.0"), "second.md": playbook("second")})
    answer: Any = await reloading.reload("test")
    assert answer["parts"]["playbooks"]["added"] == ["second"]
    assert answer["parts"]["playbooks"]["changed"] == ["first"]
    assert live.digest != before and live["second"].id == "second", "web asks it with each page"
    assert standing.policy.playbooks["first"].version == "2.0.0"
    assert standing.policy.own_identities == {("vault_entity", "e")}
    assert "second" not in held.playbooks, "a judgement that began keeps its library"


async def test_a_playbook_that_is_wrong_leaves_all_in_force(
    live: LivePlaybooks, folder: Any, registry: CollectorRegistry
) -> None:
    reloading = Reloading(registry, time.time)
    reloading.add(live, live.seen)
    folder.put({"first.md": "---\nid: x\n---\n", "second.md": playbook("second")})
    watching = asyncio.create_task(watch(reloading, 0.05))
    try:
        async with asyncio.timeout(10):
            while True:
                status: Any = reloading.status()
                if status["playbooks"]["problems"]:
                    break
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
    assert "first.md" in status["playbooks"]["problems"][0]
    assert "first" in live and "second" not in live
    assert registry.get_sample_value("davylamp_reload_ok", {"part": "playbooks"}) == 0


async def test_the_respond_role_decides_by_what_was_read_again(folder: Any, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    runtime = Runtime("respond", Health(time.time, registry), registry, time.time, asyncio.Event())
    settings = Settings(state_dir=tmp_path, response=Response(playbooks=(folder.folder,)))
    respond = Respond(settings, runtime, Database(f"sqlite:///{tmp_path / 'davylamp.db'}"))
    try:
        folder.put({"second.md": playbook("second")})
        assert (await runtime.reloading.reload("test"))["ok"]
        assert "second" in respond._standing.policy.playbooks
        assert "first" not in respond._standing.policy.playbooks
    finally:
        respond.close()
