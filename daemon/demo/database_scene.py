"""The analytics database of the demo: who may log in, and a table worth stealing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql

from daemon.demo.error import SceneError
from daemon.demo.parts.postgres import PostgresPart

OBSERVER: Final = "davylamp_observer"
VAULT_LOGIN: Final = "vault_admin"
ANALYTICS: Final = "analytics"
CUSTOMERS: Final = "customer_records"
_TABLE: Final = """
CREATE TABLE valuations AS
SELECT n AS parcel, 180000 + (n * 7919) % 900000 AS euro FROM generate_series(1, 2000) AS n
"""


@dataclass(frozen=True, slots=True)
class DatabaseScene:
    """The passwords that the set-up made; the vault replaces the first two roles' at once."""

    vault_password: str = field(repr=False)
    observer_password: str = field(repr=False)


def prepare(postgres: PostgresPart) -> DatabaseScene:
    """Make the roles and the table. Raises SceneError.

    The vault's login may change only the two roles that it administers; the observer may only end
    sessions (pg_signal_backend). Neither is a superuser.
    """
    scene = DatabaseScene(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    try:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            _login(connection, VAULT_LOGIN, scene.vault_password, makes_roles=True)
            _login(connection, OBSERVER, scene.observer_password)
            connection.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(sql.Identifier(OBSERVER)))
            for name in (ANALYTICS, CUSTOMERS):
                _login(connection, name, secrets.token_urlsafe(24))
                connection.execute(
                    sql.SQL("GRANT {} TO {} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE").format(
                        sql.Identifier(name), sql.Identifier(VAULT_LOGIN)
                    )
                )
            connection.execute(_TABLE)
            connection.execute(sql.SQL("GRANT SELECT ON valuations TO {}").format(sql.Identifier(ANALYTICS)))
    except psycopg.Error as error:
        raise SceneError(f"database: {type(error).__name__} {error.sqlstate or ''}".strip()) from None
    return scene


def _login(connection: psycopg.Connection, name: str, password: str, *, makes_roles: bool = False) -> None:
    rights = sql.SQL("CREATEROLE" if makes_roles else "NOCREATEROLE")
    statement = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(name), rights, sql.Literal(password)))
