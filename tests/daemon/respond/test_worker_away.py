"""The vault is sealed, PostgreSQL stops: it is said, the place is kept, and it goes on by itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

pytestmark = pytest.mark.integration


def at(step: str, boundary: str, do):
    """Return a boundary hook that does something once, at one place."""
    done = threading.Event()

    def hook(at_step: str, at_boundary: str) -> None:
        if (at_step, at_boundary) == (step, boundary) and not done.is_set():
            done.set()
            do()

    return hook


def pausing(stopped: threading.Event):
    """Return what announces the place, then waits until the test has done its part."""

    def pause() -> None:
        stopped.set()
        wait_for(lambda: not stopped.is_set())

    return pause


def wait_for(condition, timeout_s: float = 20.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.mark.parametrize("step", ["escrow", "rotate", "old_refused"])
def test_a_sealed_vault_is_waited_for(own_scene, desk, told, worker_for, finish, step):
    target = own_scene.target()
    stolen = own_scene.served(target)
    settings = own_scene.settings(target)
    action = desk.queue(target)
    later = threading.Timer(1.5, own_scene.vault.unseal)

    def seal() -> None:
        own_scene.vault.seal()
        later.start()

    worker = worker_for(own_scene, settings, boundary=at(step, "before_call", seal))
    assert finish(desk, worker, action) == "succeeded"

    later.join()
    assert (told.away[0][0], told.away[0][1].split(":")[0]) == ("vault", "vault sealed")
    assert told.dependencies["vault"] is True
    assert "waiting" in desk.kinds(desk.action(action)["incident_id"])
    assert desk.proof(action)["grade"] == "A"
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        own_scene.login(target, stolen)


@pytest.mark.parametrize("step", ["negative_control", "rotate", "old_refused"])
def test_a_stopped_database_is_waited_for(own_scene, desk, told, worker_for, finish, step):
    target = own_scene.target()
    stolen = own_scene.served(target)
    settings = own_scene.settings(target)
    action = desk.queue(target)
    stopped = threading.Event()
    worker = worker_for(own_scene, settings, boundary=at(step, "before_call", pausing(stopped)))
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(finish, desk, worker, action, 60.0)
        # Linux ends a child with the thread that started it: the server is started and stopped here only.
        assert stopped.wait(20)
        own_scene.database.stop()
        stopped.clear()
        wait_for(lambda: bool(told.away))
        own_scene.database.start()
        assert working.result() == "succeeded"

    assert told.away[0][0] == "target_database"
    assert told.dependencies["target_database"] is True
    assert desk.proof(action)["grade"] == "A"
    own_scene.login(target, own_scene.served(target)).close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        own_scene.login(target, stolen)


def test_a_vault_that_is_gone_does_not_end_the_action(own_scene, desk, told, worker_for):
    target = own_scene.target()
    settings = own_scene.settings(target)
    action = desk.queue(target)
    own_scene.vault.stop()

    worker_for(own_scene, settings).run_once()

    row = desk.action(action)
    assert row["state"] == "executing"
    assert row["lease_owner"] is None
    assert told.dependencies["vault"] is False
    assert settings.vault.token.reveal() not in str(told.away)
