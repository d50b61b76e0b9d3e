"""Actions as rows, a worker, and the servers of the rotation tests."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from config.response import Target
from config.settings import Settings
from connectors.rotation.catalogue import handlers
from connectors.store.actions import ActionStore
from connectors.store.database import Database, upgrade
from connectors.store.schema import actions, incidents, proofs, steps, timeline
from daemon.roles.respond.worker import Worker
from detectors.identifier import derive
from playbooks.policy import Policy

_PATH = Path(__file__).parents[2] / "connectors" / "rotation" / "conftest.py"
_spec = importlib.util.spec_from_file_location("davylamp_rotation_scene", _PATH)
assert _spec is not None and _spec.loader is not None
_rotation = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _rotation
_spec.loader.exec_module(_rotation)
Scene = _rotation.Scene
scene = _rotation.scene
own_scene = _rotation.own_scene
trusting_scene = _rotation.trusting_scene


@dataclass
class Told:
    """What a worker told of its work."""

    dependencies: dict[str, bool] = field(default_factory=dict)
    away: list[tuple[str, str]] = field(default_factory=list)
    endings: list[tuple[str, str, str]] = field(default_factory=list)
    late_calls: int = 0

    def dependency(self, name: str, up: bool, detail: str) -> None:
        self.dependencies[name] = up
        if not up:
            self.away.append((name, detail))

    def finished(self, verb: str, outcome: str, mode: str) -> None:
        self.endings.append((verb, outcome, mode))

    def late_call(self) -> None:
        self.late_calls += 1


@dataclass
class Desk:
    """One database of record with what a test asks of it."""

    url: str
    database: Database
    store: ActionStore

    def incident(self) -> str:
        """Open an incident; return its id."""
        now = time.time()
        with self.database.transaction() as connection:
            number = len(connection.execute(select(incidents.c.id)).all()) + 1
            made = derive("incident", f"key-{number}")
            connection.execute(
                incidents.insert().values(
                    id=made,
                    number=number,
                    key=f"key-{number}",
                    status="new",
                    level="high",
                    title="a password leaked",
                    playbook_id="leaked-credential",
                    playbook_version="1",
                    primary_type="credential",
                    primary_id="database:database/x",
                    first_event_at=now,
                    last_event_at=now,
                    detected_at=now,
                    opened_at=now,
                    updated_seq=number,
                )
            )
        return made

    def queue(self, target: Target, *, drill: bool = False, epoch: int = 0, mode: str = "contain") -> str:
        """Queue a rotation of `target` for a new incident; return the action's id."""
        now = time.time()
        incident_id = None if drill else self.incident()
        made = derive("action", str(incident_id), target.key, str(now))
        with self.database.transaction() as connection:
            connection.execute(
                actions.insert().values(
                    id=made,
                    incident_id=incident_id,
                    verb="rotate.credential",
                    target_key=target.key,
                    target_kind=target.kind,
                    mount=target.mount,
                    name=target.name,
                    classification=target.classification,
                    target_owner=target.owner,
                    mode=mode,
                    drill=drill,
                    playbook_id="leaked-credential",
                    playbook_version="1",
                    epoch=epoch,
                    plan="{}",
                    digest="0" * 64,
                    needed=0,
                    auto=True,
                    requester="davylamp",
                    trigger_time=now,
                    state="queued",
                    created_at=now,
                    queued_at=now,
                )
            )
        return made

    def action(self, action_id: str) -> Any:
        with self.database.reading() as connection:
            return connection.execute(select(actions).where(actions.c.id == action_id)).mappings().one()

    def proof(self, action_id: str) -> dict[str, Any] | None:
        with self.database.reading() as connection:
            text = connection.execute(
                select(proofs.c.document).where(proofs.c.action_id == action_id)
            ).scalar()
        return json.loads(text) if text else None

    def steps(self, action_id: str) -> list[Any]:
        with self.database.reading() as connection:
            found = select(steps).where(steps.c.action_id == action_id).order_by(steps.c.ordinal)
            return list(connection.execute(found).mappings())

    def kinds(self, incident_id: str) -> list[str]:
        """Return the kinds of an incident's timeline rows, in order."""
        with self.database.reading() as connection:
            found = select(timeline.c.kind).where(timeline.c.incident_id == incident_id)
            return list(connection.execute(found.order_by(timeline.c.seq)).scalars())

    def worker(self, made_handlers: Any, told: Told, **changes: Any) -> Worker:
        values: dict[str, Any] = {
            "name": "worker-1",
            "store": self.store,
            "handlers": made_handlers,
            "clock": time.time,
            "lease_s": 12.0,
            "backoff": lambda n: min(0.1 * n, 0.5),
            "policy": Policy,
            "stopping": lambda: False,
            "telemetry": told,
        }
        return Worker(**{**values, **changes})


def work_until_done(desk: Desk, worker: Worker, action_id: str, timeout_s: float = 30.0) -> str:
    """Let `worker` work until the action has ended; return its state."""
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        worker.run_once()
        state = desk.action(action_id)["state"]
        if state not in ("queued", "executing", "verifying", "rolling_back"):
            return str(state)
        time.sleep(0.05)
    raise AssertionError(f"action still {desk.action(action_id)['state']} after {timeout_s} s")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A fresh SQLite database of record."""
    url = f"sqlite:///{tmp_path}/davylamp.db"
    upgrade(url)
    database = Database(url)
    yield Desk(url, database, ActionStore(database))
    database.close()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def finish() -> Callable[..., str]:
    return work_until_done


@pytest.fixture
def worker_for(desk: Desk, told: Told) -> Callable[..., Worker]:
    """Return a function (scene, settings) -> worker over the real handlers.

    `hurry` is a clock on which proofs wait for nothing.
    """

    def make(scene: Any, settings: Settings, hurry: Any = None, **changes: Any) -> Worker:
        clock = {"clock": hurry.now} if hurry else {}
        return desk.worker(handlers(scene.tools(settings, hurry)), told, **clock, **changes)

    return make


@pytest.fixture
def hurry() -> Any:
    return _rotation.Hurry()


@pytest.fixture
def desk_type() -> type[Desk]:
    return Desk
