"""What each role may do to the database, and how its absence is said."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from connectors.store import audit
from connectors.store.database import Database, upgrade
from connectors.store.error import MigrationNeededError, StoreAwayError, StoreError, WriteDeniedError
from connectors.store.schema import WEB_MAY_WRITE, metadata, notes, session_links, switches


@pytest.fixture
def path(tmp_path: Path) -> Path:
    upgrade(f"sqlite:///{tmp_path}/a.db")
    return tmp_path / "a.db"


@pytest.fixture
def web(path: Path):
    opened = Database(f"sqlite:///{path}", role="web")
    yield opened
    opened.close()


@pytest.mark.parametrize("table", sorted(set(metadata.tables) - set(WEB_MAY_WRITE)))
@pytest.mark.parametrize(
    "statement", ["INSERT INTO {t} DEFAULT VALUES", "DELETE FROM {t}", "UPDATE {t} SET {c} = {c}"]
)
def test_web_cannot_write_a_table_that_is_not_its_own(web, table, statement):
    column = next(iter(metadata.tables[table].columns)).name
    with pytest.raises(WriteDeniedError), web.transaction() as connection:
        connection.exec_driver_sql(statement.format(t=table, c=f'"{column}"'))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'x'",
        "DROP TABLE notes",
        "CREATE TABLE x (a)",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA writable_schema = 1",
        "CREATE TEMP TRIGGER t AFTER INSERT ON notes BEGIN SELECT 1; END",
        "INSERT INTO sqlite_master VALUES (1,1,1,1,1)",
    ],
)
def test_web_cannot_change_audit_or_the_schema(web, statement):
    with pytest.raises(StoreError), web.transaction() as connection:
        connection.exec_driver_sql(statement)


def test_web_writes_its_own_tables_and_adds_to_audit(web):
    with web.transaction() as connection:
        audit.record(connection, 1.0, "alice", "approve", "a", "allowed")
        connection.execute(insert(session_links).values(token_sha256="0", approver="alice", expires_at=2.0))
        connection.execute(update(session_links).values(used_at=1.5))
    with web.reading() as connection:
        assert audit.verify(connection) == []
        assert connection.execute(select(session_links.c.used_at)).scalar_one() == 1.5


def test_a_reader_writes_nothing(path):
    reader = Database(f"sqlite:///{path}", role="read")
    with pytest.raises(WriteDeniedError), reader.transaction():
        pass
    with pytest.raises(WriteDeniedError), reader.reading() as connection:
        connection.execute(insert(switches).values(name="all", engaged=True, by="x", at=1.0))
    reader.close()


def test_a_failed_transaction_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        audit.record(connection, 1.0, "a", "b", "c", "done")
        raise ZeroDivisionError
    with database.reading() as connection:
        assert connection.execute(select(metadata.tables["audit"])).all() == []


def test_a_reading_connection_keeps_nothing(database):
    with database.reading() as connection:
        connection.execute(insert(switches).values(name="all", engaged=True, by="x", at=1.0))
    with database.reading() as connection:
        assert connection.execute(select(switches)).all() == []


def test_writers_are_serial(database):
    """Two threads read, then add one: without a writer's lock an update would be lost."""
    with database.transaction() as connection:
        connection.execute(insert(switches).values(name="all", engaged=True, by="0", at=1.0))

    def count() -> None:
        for _ in range(20):
            with database.transaction() as connection:
                seen = int(connection.execute(select(switches.c.by)).scalar_one())
                connection.execute(update(switches).values(by=str(seen + 1)))

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.execute(select(switches.c.by)).scalar_one() == "60"


def test_tables_that_are_missing_ask_for_the_migration(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(MigrationNeededError), database.reading() as connection:
        connection.execute(select(notes))
    database.close()


def test_a_folder_that_is_not_there_is_away(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/no/such.db")
    with pytest.raises(StoreAwayError), database.transaction():
        pass
    database.close()


def test_a_locked_file_is_away(path, monkeypatch):
    monkeypatch.setattr("connectors.store.database.BUSY_MS", 50)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StoreAwayError, match="locked"), database.transaction():
        pass
    holder.execute("ROLLBACK")
    holder.close()
    with database.transaction() as connection:
        audit.record(connection, 1.0, "a", "b", "c", "done")
    database.close()


def test_an_error_never_holds_the_password_or_a_value(tmp_path):
    database = Database("postgresql://someone:hunter2-canary@127.0.0.1:1/x")
    with pytest.raises(StoreAwayError) as away, database.reading():
        pass
    assert "hunter2-canary" not in str(away.value)
    assert away.value.__cause__ is None
    database.close()


def test_other_databases_are_refused():
    for url in ("mysql://127.0.0.1/x", "sqlite://"):
        with pytest.raises(StoreError):
            Database(url)


def test_sqlite_is_durable_and_private(path):
    database = Database(f"sqlite:///{path}")
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 5000
    database.close()
    assert path.stat().st_mode & 0o077 == 0
