"""The connection to the database of record: SQLite (default) or PostgreSQL, one writer at a time.

Writers are serial on both: SQLite by `BEGIN IMMEDIATE`, PostgreSQL by one transaction-level advisory
lock, so that hash chains, incident numbers and guards see every earlier decision.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from connectors.store import authorizer
from connectors.store.error import MigrationNeededError, StoreAwayError, StoreError, WriteDeniedError

StoreRole: TypeAlias = Literal["respond", "web", "read"]
BUSY_MS: Final = 5000
_WRITER_LOCK: Final = 0x44_41_56_59_4C_41_4D_50
_MISSING_TABLE: Final = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")


class Database:
    """A pool of connections. Threads may share it; a connection belongs to one thread."""

    def __init__(self, url: str, *, role: StoreRole = "respond") -> None:
        """Open nothing yet. Raises StoreError when `url` names neither SQLite nor PostgreSQL."""
        self.role: StoreRole = role
        self._engine = _engine(url, role)
        self._writer = self._engine.execution_options(davylamp_write=True)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection inside one write transaction; it commits unless the block raises.

        Raises StoreAwayError, MigrationNeededError, WriteDeniedError.
        """
        if self.role == "read":
            raise WriteDeniedError("this connection only reads")
        with translated(), self._writer.begin() as connection:
            if self.dialect == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MS}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection for reading; on SQLite every statement sees the same snapshot."""
        with translated(), self._engine.connect() as connection:
            yield connection
            connection.rollback()

    def close(self) -> None:
        """Give every pooled connection back to the system."""
        self._engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLAlchemy's errors into the store's own; the text keeps neither SQL nor values."""
    try:
        yield
    except DBAPIError as error:
        raise _translate(error) from None
    except SQLAlchemyError as error:
        raise StoreError(f"database: {type(error).__name__}") from error


def upgrade(url: str) -> None:
    """Bring the tables to this release (Alembic head), in one transaction. Safe to run at once from several.

    Raises StoreAwayError when the database cannot be reached.
    """
    database = Database(url)
    try:
        with (
            as_file(files("connectors.store") / "migrations") as folder,
            database.transaction() as connection,
        ):
            config = Config()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


def _translate(error: DBAPIError) -> StoreError:
    origin = error.orig
    name = type(origin).__name__
    text = str(origin).splitlines()[0][:200] if str(origin) else ""
    if any(mark in text or mark == name for mark in _MISSING_TABLE):
        return MigrationNeededError(f"database: {text}: its tables are not of this release")
    if (
        "not authorized" in text
        or "prohibited" in text
        or name in ("InsufficientPrivilege", "ReadOnlySqlTransaction")
    ):
        return WriteDeniedError(f"database: {text}")
    if isinstance(error, OperationalError) or error.connection_invalidated or name == "InterfaceError":
        return StoreAwayError(f"database: {name}: {text}")
    return StoreError(f"database: {name}: {text}")


def _engine(url: str, role: StoreRole) -> Engine:
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise StoreError("a SQLite database needs a file: roles are processes and share it")
        path = Path(parsed.database)
        engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000})
        event.listen(engine, "connect", lambda raw, _record: _prepare_sqlite(raw, role))
        event.listen(engine, "begin", _begin_sqlite)
        if role != "read":
            event.listen(engine, "do_connect", lambda *_: _private(path))
        return engine
    if backend == "postgresql":
        options = "-c default_transaction_read_only=on" if role == "read" else ""
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 5, "options": options},
        )
    raise StoreError(f"database {backend!r} is not one of sqlite, postgresql")


def _private(path: Path) -> None:
    """Make a new database file that only its owner reads: findings name people and machines."""
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreAwayError(f"database: {error.strerror}: {path.name}") from error


def _prepare_sqlite(raw: Any, role: StoreRole) -> None:
    connection: sqlite3.Connection = raw
    # SQLAlchemy's own BEGIN would be deferred: an upgrade of a read lock fails at once with SQLITE_BUSY.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    if role == "read":
        cursor.execute("PRAGMA query_only = ON")
    else:
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
    if role != "respond":
        connection.set_authorizer(authorizer.for_role(role))


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("davylamp_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
