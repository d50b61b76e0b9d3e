"""The open sessions of a database user, as the observer sees and ends them.

The observer needs `pg_signal_backend`; with `pg_read_all_stats` too it can tell sessions older than a
rotation from newer ones. Without it PostgreSQL hides the start, and a hidden start counts as old.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg

from config.response import DatabaseProbe
from connectors.rotation.login import conninfo
from connectors.vault.secret_text import SecretText

_OLD: Final[LiteralString] = (
    "FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid()"
    " AND coalesce(backend_start <= to_timestamp(%s), true)"
)
_END: Final[LiteralString] = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) " + _OLD
_COUNT: Final[LiteralString] = "SELECT count(*) " + _OLD
_NAMES: Final[LiteralString] = (
    "SELECT DISTINCT left(regexp_replace(coalesce(nullif(application_name, ''), 'unnamed')"
    " || coalesce(' at ' || host(client_addr), ''), '[^ -~]', '?', 'g'), 100) AS name"
    " FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid() ORDER BY name LIMIT 64"
)


_MAY_END: Final[LiteralString] = (
    "SELECT rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')"
    " FROM pg_roles WHERE rolname = current_user"
)


def observer_missing(probe: DatabaseProbe) -> dict[str, str]:
    """Return what a target lacks to be provable, by key: nothing when the observer's login is given."""
    text = "is required: without the observer's login no proof can be made; give value or file"
    return {} if probe.observer_password.given() else {"probe.observer_password": text}


class ObserverAwayError(Exception):
    """The database cannot be asked by the observer; the text names why, with no secret."""


class Observer:
    """The login that watches and ends sessions. Each call opens one connection and closes it.

    Every method raises ObserverAwayError; `timeout_s` bounds connecting and each statement.
    """

    def __init__(self, probe: DatabaseProbe, timeout_s: float) -> None:
        self._probe = probe
        self._timeout_s = timeout_s

    def clock(self) -> float:
        """Return the database's clock, seconds since the epoch, UTC."""
        with self.connection() as connection:
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
            return float(row[0]) if row else 0.0

    def may_end_sessions(self) -> bool:
        """Return whether the observer has the right to end other users' sessions."""
        with self.connection() as connection:
            row = connection.execute(_MAY_END).fetchone()
            return bool(row and row[0])

    def end_sessions(self, user: str, started_until: float) -> int:
        """End the sessions of `user` that started at or before the database time `started_until`.

        Returns how many were told to end; whether they are gone is what `count_sessions` says.
        """
        with self.connection() as connection:
            row = connection.execute(_END, (user, started_until)).fetchone()
            return int(row[0]) if row else 0

    def count_sessions(self, user: str, started_until: float) -> int:
        """Return how many such sessions are still there."""
        with self.connection() as connection:
            row = connection.execute(_COUNT, (user, started_until)).fetchone()
            return int(row[0]) if row else 0

    def names_of_sessions(self, user: str) -> tuple[str, ...]:
        """Return what the open sessions of `user` call themselves (``application at address``), each once.

        At most 64 names of at most 100 characters; applications write them, so they prove nothing.
        """
        with self.connection() as connection:
            rows = connection.execute(_NAMES, (user,)).fetchall()
        return tuple(str(row[0]) for row in rows)

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Errors of psycopg carry the connection string, so they are replaced outside `except`."""
        failure: str
        password = SecretText(self._probe.observer_password.reveal())
        try:
            with psycopg.connect(
                conninfo(self._probe, self._probe.observer, password, self._timeout_s), autocommit=True
            ) as connection:
                connection.execute(f"SET statement_timeout = {int(self._timeout_s * 1000)}".encode())
                yield connection
                return
        except psycopg.Error as error:
            failure = error.sqlstate or type(error).__name__
        raise ObserverAwayError(f"observer {self._probe.observer[:64]}: {failure}")
