"""The database users that a vault role made, as the observer sees them: there, gone, and their sessions.

A dropped user's session lives on in PostgreSQL; `pg_stat_activity` then shows its number (oid) and no name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from connectors.rotation.sessions import Observer

_MADE: Final[LiteralString] = (
    "SELECT oid::bigint, rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND rolname LIKE %s"
    " ORDER BY oid LIMIT %s"
)
_THERE: Final[LiteralString] = "SELECT oid::bigint FROM pg_roles WHERE rolcanlogin AND oid = ANY(%s::oid[])"
_OF: Final[LiteralString] = (
    "FROM pg_stat_activity WHERE usesysid = ANY(%s::oid[]) AND pid <> pg_backend_pid()"
)
_END: Final[LiteralString] = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) " + _OF
_COUNT: Final[LiteralString] = "SELECT count(*) " + _OF
MAX_USERS: Final = 5000


class DatabaseUsers:
    """Asks through an observer. Every method raises ObserverAwayError."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def made_by(self, pattern: str) -> Mapping[int, str]:
        """Return oid -> name of the users that may log in and whose name is LIKE `pattern`."""
        with self._observer.connection() as connection:
            return {int(oid): str(name) for oid, name in connection.execute(_MADE, (pattern, MAX_USERS))}

    def still_there(self, oids: Sequence[int]) -> frozenset[int]:
        """Return which of `oids` may still log in; a user that is dropped or NOLOGIN may not."""
        with self._observer.connection() as connection:
            return frozenset(int(row[0]) for row in connection.execute(_THERE, (list(oids),)))

    def end_sessions(self, oids: Sequence[int]) -> int:
        """End every session of `oids`; return how many were told to."""
        return self._number(_END, oids)

    def count_sessions(self, oids: Sequence[int]) -> int:
        """Return how many sessions of `oids` there are."""
        return self._number(_COUNT, oids)

    def _number(self, statement: LiteralString, oids: Sequence[int]) -> int:
        with self._observer.connection() as connection:
            row = connection.execute(statement, (list(oids),)).fetchone()
            return int(row[0]) if row else 0
