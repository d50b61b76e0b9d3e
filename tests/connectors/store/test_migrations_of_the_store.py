"""The migrations make exactly the tables of `schema.metadata`, also when several processes start at once."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from connectors.store.database import Database, upgrade
from connectors.store.schema import metadata


def definitions(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s+", "", sql).lower() for name, sql in rows if name != "alembic_version"}


def test_migrations_make_the_same_sql_as_the_metadata(tmp_path):
    upgrade(f"sqlite:///{tmp_path}/migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/made.db")
    metadata.create_all(engine)
    engine.dispose()
    assert definitions(tmp_path / "migrated.db") == definitions(tmp_path / "made.db")


def test_nothing_is_left_to_migrate(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_and_at_once_changes_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/100%25 sure.db"
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    upgrade(url)
    assert failures == []


def test_an_upgrade_keeps_the_rows(store_url):
    database = Database(store_url)
    with database.transaction() as connection:
        connection.execute(
            metadata.tables["switches"].insert().values(name="all", engaged=True, by="a", at=1.0)
        )
    database.close()
    upgrade(store_url)
    with database.reading() as connection:
        assert connection.execute(metadata.tables["switches"].select()).one().name == "all"
    database.close()
