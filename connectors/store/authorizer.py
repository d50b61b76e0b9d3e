"""What the web role may do to a SQLite file, enforced by SQLite itself (`sqlite3.set_authorizer`).

On PostgreSQL the same is done by grants (`connectors/store/grants.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from connectors.store.schema import WEB_MAY_WRITE

Authorizer: TypeAlias = Callable[[int, str | None, str | None, str | None, str | None], int]
_HARMLESS: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_WRITES: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
INSERT_ONLY: Final = frozenset({"audit"})


def for_role(role: Literal["web", "read"]) -> Authorizer:
    """Return the callback for a role; everything that it does not name is denied."""
    writable = frozenset(WEB_MAY_WRITE) if role == "web" else frozenset[str]()

    def authorize(
        action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None
    ) -> int:
        if action in _HARMLESS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if second == "load_extension" else sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            return sqlite3.SQLITE_OK if second is None else sqlite3.SQLITE_DENY
        if action in _WRITES and first in writable:
            allowed = action == sqlite3.SQLITE_INSERT or first not in INSERT_ONLY
            return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_DENY

    return authorize
