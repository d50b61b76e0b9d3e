"""Random schedules over incidents and actions: whatever happens in whatever order, the contracts hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from response_life.machine import PLACES, SPANS_S, LifeCycles
from response_life.scene import TARGETS

from connectors.store.database import Database, upgrade
from connectors.store.schema import metadata
from daemon.demo.parts.postgres import PostgresPart

SCHEDULES = {"sqlite": 300, "postgresql": 25}
BY_NIGHT = 10_000
STEPS = 8


@pytest.fixture
def schedule_settings(request: pytest.FixtureRequest) -> Callable[[str], settings]:
    """Return a function (dialect) -> how many schedules; the same ones each day, others every night."""
    nightly = bool(request.config.getoption("--nightly"))

    def made(dialect: str) -> settings:
        return settings(
            max_examples=BY_NIGHT if nightly else SCHEDULES[dialect],
            stateful_step_count=STEPS,
            derandomize=not nightly,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            print_blob=True,
        )

    return made


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: thousands of transactions need not wait for a disk here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def record_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL with the tables of record."""
    part = PostgresPart(tmp_path_factory.mktemp("life-cycles"))
    part.start()
    try:
        login = f"postgres:{part.superuser_password}"
        url = f"postgresql+psycopg://{login}@127.0.0.1:{part.port}/postgres?sslmode=disable"
        upgrade(url)
        yield url
    finally:
        part.remove()


def test_schedules_on_sqlite_break_no_law(
    quick_folder: Path, schedule_settings: Callable[[str], settings]
) -> None:
    template = quick_folder / "template.db"
    upgrade(f"sqlite:///{template}")
    path = quick_folder / "played.db"
    database = Database(f"sqlite:///{path}")

    def fresh() -> LifeCycles:
        database.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(template, path)
        return LifeCycles(database)

    run_state_machine_as_test(cast(Any, fresh), settings=schedule_settings("sqlite"))
    database.close()


@pytest.fixture
def played(quick_folder: Path) -> Iterator[LifeCycles]:
    """A schedule that a test writes itself: an action is queued already, and its laws are looked at."""
    url = f"sqlite:///{quick_folder / 'played.db'}"
    upgrade(url)
    database = Database(url)
    machine = LifeCycles(database)
    machine.rehearse(True, TARGETS[0])
    yield machine
    machine.laws_hold()
    machine.teardown()
    database.close()


def test_a_rotation_whose_worker_died_is_proven_though_the_kill_switch_is_on(played: LifeCycles) -> None:
    played.work("one", ("rotate", "after_call"), "kill", "yes")
    played.switch("all", True)
    played.pass_time(SPANS_S[2])
    played.work_on("two")
    assert played.states() == {"rejected", "succeeded"}


def test_a_try_that_may_land_is_not_called_off_as_if_nothing_had_happened(played: LifeCycles) -> None:
    played.work("one", ("rotate", "before_call"), "kill", "yes")
    played.switch("all", True)
    played.pass_time(SPANS_S[2])
    played.work_on("two")
    assert played.states() == {"rejected", "needs_human"}


def test_a_lost_reply_is_remembered_when_the_next_try_is_refused_for_good(played: LifeCycles) -> None:
    played.work("one", PLACES[0], "none", "lost")
    played.pass_time(SPANS_S[1])
    played.work("one", PLACES[0], "none", "unfit")
    assert played.states() == {"rejected", "needs_human"}


@pytest.mark.integration
def test_schedules_on_postgresql_break_no_law(
    record_server: str, schedule_settings: Callable[[str], settings]
) -> None:
    database = Database(record_server)

    def fresh() -> LifeCycles:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        with database.transaction() as connection:
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        return LifeCycles(database)

    run_state_machine_as_test(cast(Any, fresh), settings=schedule_settings("postgresql"))
    database.close()
