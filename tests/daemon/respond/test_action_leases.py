"""Who may work on an action: one holder at a time, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from config.response import Target
from connectors.store.actions import ACTION_DEADLINE_S, ActionStore
from connectors.store.database import Database, upgrade
from connectors.store.finishing import Ending, finish
from connectors.store.leases import Lease, LeaseLostError
from connectors.store.schema import actions
from daemon.demo.parts.postgres import PostgresPart
from playbooks.policy import Policy

LEASE_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPart]:
    part = PostgresPart(tmp_path_factory.mktemp("leases"))
    part.start()
    yield part
    part.remove()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ActionStore]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/leases.db"
    else:
        part = request.getfixturevalue("server")
        login = f"postgres:{part.superuser_password}"
        url = f"postgresql+psycopg://{login}@127.0.0.1:{part.port}/postgres?sslmode=disable"
    upgrade(url)
    database = Database(url)
    with database.transaction() as connection:
        for table in reversed(actions.metadata.sorted_tables):
            connection.execute(table.delete())
    yield ActionStore(database)
    database.close()


@pytest.fixture
def queue(store: ActionStore, desk_type: Any) -> Any:
    """Return a function that queues a drill of a named target."""
    desk = desk_type("", store.database, store)
    return lambda name: desk.queue(Target(name=name, classification="internal", owner="data"), drill=True)


def taken(store: ActionStore, worker: str, now: float) -> Lease:
    lease = store.claim(worker, now, LEASE_S)
    assert lease is not None
    return lease


def test_the_oldest_is_taken_first_and_nobody_takes_it_twice(store, queue):
    first, second = queue("one"), queue("two")
    now = time.time()
    assert [taken(store, f"w{n}", now).action.id for n in (1, 2)] == [first, second]
    assert store.claim("w3", now, LEASE_S) is None


def test_many_workers_at_once_take_each_action_once(store, queue):
    made = {queue(f"target-{number}") for number in range(8)}
    now = time.time()
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda n: store.claim(f"w{n}", now, LEASE_S), range(12)))
    found = [lease.action.id for lease in leases if lease is not None]
    assert sorted(found) == sorted(made)


def test_an_expired_lease_goes_to_another_with_a_higher_fence(store, queue):
    queue("one")
    now = time.time()
    old = taken(store, "w1", now)
    assert store.claim("w2", now + LEASE_S - 1, LEASE_S) is None
    new = taken(store, "w2", now + LEASE_S + 1)
    assert new.fence == old.fence + 1
    assert new.taken_over


@pytest.mark.parametrize(
    "write", ["renew", "park", "intend", "complete", "failed", "back", "until", "finish"]
)
def test_a_lost_lease_writes_nothing(store, queue, write):
    action = queue("one")
    now = time.time()
    old = taken(store, "w1", now)
    store.intend(old, 0, "escrow", now, {})
    taken(store, "w2", now + LEASE_S + 1)
    before = row(store, action)
    writes = {
        "renew": lambda: store.renew(old, now, LEASE_S),
        "park": lambda: store.park(old, now),
        "intend": lambda: store.intend(old, 0, "escrow", now, {"x": 1}),
        "complete": lambda: store.complete(old, 0, now, {}, [], "done", "vault:v1:x", state="verifying"),
        "failed": lambda: store.attempt_failed(old, 0, now, {}, "no", tell=True),
        "back": lambda: store.go_back(old, 0, now, "moved"),
        "until": lambda: store.until(old),
        "finish": lambda: finish(store.database, old, now, Ending("failed", "x"), Policy()),
    }
    with pytest.raises(LeaseLostError):
        writes[write]()
    assert row(store, action) == before
    assert store.steps_of(action)[0].state == "intended"
    assert store.steps_of(action)[0].attempt == 1


def test_a_parked_action_waits_its_time(store, queue):
    queue("one")
    now = time.time()
    store.park(taken(store, "w1", now), now + 5)
    assert store.claim("w2", now + 4, LEASE_S) is None
    assert not taken(store, "w2", now + 6).taken_over


def test_after_a_break_a_worker_takes_its_own_action_at_once(store, queue):
    queue("one")
    now = time.time()
    taken(store, "w1", now)
    assert taken(store, "w1", now + 1).fence == 2


def test_the_deadline_counts_from_the_start_and_not_without_the_outside(store, queue):
    action = queue("one")
    now = time.time()
    with store.database.transaction() as connection:
        values = {"queued_at": now, "deadline_at": now + 120}
        connection.execute(update(actions).where(actions.c.id == action).values(values))
    lease = taken(store, "w1", now + 600)
    assert lease.action.deadline_at == pytest.approx(now + 720)
    store.park(lease, now + 610, not_counted_s=10)
    assert taken(store, "w1", now + 611).action.deadline_at == pytest.approx(now + 731)


def test_no_deadline_lies_more_than_an_hour_after_the_start(store, queue):
    queue("one")
    now = time.time()
    lease = taken(store, "w1", now)
    store.park(lease, now, not_counted_s=1e6)
    assert taken(store, "w1", now + 9000).action.deadline_at == pytest.approx(now + ACTION_DEADLINE_S)


def test_an_escrow_older_than_an_hour_is_deleted(store, queue):
    action = queue("one")
    now = time.time()
    lease = taken(store, "w1", now)
    store.intend(lease, 0, "escrow", now, {})
    store.complete(lease, 0, now, {}, [], "kept", "vault:v1:x")
    assert store.purge_escrow(now + 3599) == 0
    assert store.steps_of(action)[0].escrow == "vault:v1:x"
    assert store.purge_escrow(now + 3601) == 1
    assert store.steps_of(action)[0].escrow is None


def test_an_action_that_nobody_holds_is_counted(store, queue):
    queue("one")
    now = time.time()
    taken(store, "w1", now)
    assert store.executing_without_lease(now + LEASE_S - 1) == 0
    assert store.executing_without_lease(now + LEASE_S + 1) == 1


def row(store: ActionStore, action: str) -> dict[str, Any]:
    with store.database.reading() as connection:
        return dict(connection.execute(actions.select().where(actions.c.id == action)).mappings().one())


def test_a_plan_that_needs_longer_than_an_hour_has_it_and_not_more(store, queue):
    action = queue("one")
    now = time.time()
    with store.database.transaction() as connection:
        values = {"queued_at": now, "deadline_at": now + 7900}
        connection.execute(update(actions).where(actions.c.id == action).values(values))
    lease = taken(store, "w1", now + 60)
    assert lease.action.deadline_at == pytest.approx(now + 7960)
    for late in (500, 1500, 2500):
        assert taken(store, f"w{late}", now + late).action.deadline_at == pytest.approx(now + 7960)
