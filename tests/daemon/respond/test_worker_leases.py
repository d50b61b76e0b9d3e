"""A worker that lost its lease writes nothing; what it still did outside is noticed and proven again."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import select, update

from connectors.rotation.catalogue import handlers
from connectors.rotation.tools import Tools
from connectors.store.schema import actions, proofs
from connectors.vault.client import VaultClient

pytestmark = pytest.mark.integration


def expire(desk, action: str) -> None:
    with desk.database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.id == action).values(lease_until=0.0))


def test_a_stolen_lease_is_noticed_before_anything_is_written(scene, desk, told, worker_for, finish):
    target = scene.target()
    settings = scene.settings(target)
    action = desk.queue(target)
    thief = worker_for(scene, settings, name="worker-2")
    ended: list[str] = []

    def steal(step: str, boundary: str) -> None:
        if (step, boundary) == ("rotate", "after_call") and not ended:
            ended.append("stealing")
            expire(desk, action)
            ended[0] = finish(desk, thief, action)

    worker_for(scene, settings, boundary=steal).run_once()

    assert ended == ["succeeded"]
    assert told.late_calls == 1
    assert desk.proof(action)["grade"] == "A"
    assert desk.action(action)["state"] == "succeeded"


def test_a_call_is_not_made_without_a_lease(scene, desk, told, worker_for):
    target = scene.target()
    settings = scene.settings(target)
    action = desk.queue(target)
    before = scene.mark(target)

    def steal(step: str, boundary: str) -> None:
        if (step, boundary) == ("rotate", "before_call"):
            with desk.database.transaction() as connection:
                values = {"fence": actions.c.fence + 1, "lease_owner": "worker-2"}
                connection.execute(update(actions).where(actions.c.id == action).values(values))

    worker_for(scene, settings, boundary=steal).run_once()

    assert scene.mark(target) == before
    assert told.late_calls == 0


def test_a_rotation_behind_our_back_is_proven_again(scene, desk, told, worker_for, finish):
    target = scene.target()
    stolen = scene.served(target)
    action = desk.queue(target)
    done: list[str] = []

    def rotate_late(step: str, boundary: str) -> None:
        if (step, boundary) == ("old_refused", "after_commit") and not done:
            done.append(scene.served(target))
            scene.vault.call("POST", f"database/rotate-role/{target.name}")

    worker = worker_for(scene, scene.settings(target), boundary=rotate_late)
    assert finish(desk, worker, action) == "succeeded"

    assert told.late_calls == 1
    assert desk.proof(action)["grade"] == "A"
    scene.login(target, scene.served(target)).close()
    for old in (stolen, *done):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            scene.login(target, old)


class FrozenClient(VaultClient):
    """A worker that froze between its last look at the lease and its call."""

    def meanwhile(self, do) -> None:
        self._meanwhile = do

    def rotate_static_role(self, mount: str, name: str) -> None:
        self._meanwhile()
        super().rotate_static_role(mount, name)


def test_a_call_that_lands_after_the_proof_opens_it_again(scene, desk, told, worker_for, finish):
    target = scene.target()
    stolen = scene.served(target)
    settings = scene.settings(target)
    action = desk.queue(target)
    other = worker_for(scene, settings, name="worker-2")
    served: list[str] = []

    def other_does_all() -> None:
        expire(desk, action)
        assert finish(desk, other, action) == "succeeded"
        served.append(scene.served(target))

    frozen = FrozenClient(settings.vault.address, settings.vault.token.reveal)
    frozen.meanwhile(other_does_all)
    tools = scene.tools(settings)
    late = desk.worker(
        handlers(Tools(settings, frozen, tools.sleep, tools.random_password)), told, name="worker-1"
    )
    late.run_once()

    assert told.late_calls == 1
    assert desk.action(action)["state"] == "verifying"
    assert finish(desk, other, action) == "succeeded"
    assert desk.proof(action)["grade"] == "B"
    with desk.database.reading() as connection:
        assert len(connection.execute(select(proofs.c.epoch)).all()) == 1
    scene.login(target, scene.served(target)).close()
    for old in (stolen, *served):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            scene.login(target, old)


def test_the_kill_switch_stops_before_the_rotation(scene, desk, worker_for, finish):
    target = scene.target()
    before = scene.mark(target)
    action = desk.queue(target)

    def engage(step: str, boundary: str) -> None:
        if (step, boundary) == ("negative_control", "after_commit"):
            from connectors.store import switches

            with desk.database.transaction() as connection:
                switches.engage(connection, "all", "alice", 0.0)

    worker = worker_for(scene, scene.settings(target), boundary=engage)
    assert finish(desk, worker, action) == "cancelled"
    assert scene.mark(target) == before
