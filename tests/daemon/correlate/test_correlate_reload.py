"""The role on a real broker while its rules change: a match that is early for its correlation is kept."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from config.settings import Settings

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
TIMES = (100.0, 110.0, 130.0)


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"correlate_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


on_broker = _beside("test_correlate_on_broker")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The rules of these tests but for the correlations."""
    made = tmp_path / "rules"
    made.mkdir()
    put(made, whole=False)
    return made


def put(folder: Path, *, whole: bool) -> None:
    text = "\n---\n".join(path.read_text(encoding="utf-8") for path in sorted((HERE / "rules").glob("*.yml")))
    parts = [part for part in text.split("\n---\n") if whole or "correlation:" not in part]
    (folder / "rules.yml").write_text("\n---\n".join(parts), encoding="utf-8")


@pytest.fixture
def settings(role_settings: Settings, folder: Path) -> Settings:
    detection = role_settings.detection.model_copy(update={"rules": (folder,)})
    return role_settings.model_copy(update={"detection": detection})


@pytest.fixture
async def wire(settings: Settings) -> AsyncIterator[Any]:
    made = on_broker.Wire(settings)
    await made.open()
    yield made
    await made.close()


async def test_a_match_that_comes_before_its_correlation_was_read_is_not_lost(
    settings: Settings, wire: Any, records: Any, folder: Path
) -> None:
    role = on_broker.Role(settings)
    await role.ready()
    before = role.runtime.reloading.status()["rules"]["hash"]
    put(folder, whole=True)
    began = time.monotonic()
    await wire.feed(on_broker.burst(records, "a", 0, TIMES))
    await wire.read_until(lambda: wire.findings)
    print(f"first finding of the new correlation after {time.monotonic() - began:.2f} s")
    await wire.feed(on_broker.end_of_time(records))
    await wire.read_until(wire.finals)
    counts: Any = role.runtime.status()["counts"]
    assert wire.groups() == {tuple(f"a-{at:.0f}" for at in TIMES)}
    assert counts["rejected"] in (0, {}) and counts["matches"] == len(TIMES)
    assert role.runtime.reloading.status()["rules"]["hash"] != before
    await role.stop()


async def test_open_groups_go_on_over_reloads_under_load(
    settings: Settings, wire: Any, records: Any, folder: Path
) -> None:
    put(folder, whole=True)
    role = on_broker.Role(settings)
    await role.ready()
    log = [
        *(record for place, user in enumerate("abcd") for record in on_broker.burst(records, user, place)),
        *on_broker.end_of_time(records),
    ]
    feeding = asyncio.create_task(wire.feed(log))
    reloads = 0
    while not feeding.done() or reloads < 5:
        assert (await role.runtime.reloading.reload("test"))["ok"]
        reloads += 1
    await feeding
    wanted = set().union(*(on_broker.expected(user) for user in "abcd"))
    await wire.read_until(lambda: wire.groups() >= wanted)
    await wire.quiet(0.5)
    assert wire.groups() == wanted and len(wire.finals()) == len(wanted), "nothing lost, nothing twice"
    counts: Any = role.runtime.status()["counts"]
    assert not counts["stale"] and counts["matches"] == 32
    await role.stop()
