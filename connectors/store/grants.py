"""What the web role's PostgreSQL login may do: the same as on SQLite, enforced by the server.

The login that owns the tables runs these once, after `upgrade`; the web role connects as the other one.
"""

from __future__ import annotations

from psycopg import sql
from sqlalchemy import Connection

from connectors.store.authorizer import INSERT_ONLY
from connectors.store.schema import WEB_MAY_WRITE, metadata


def grant_web(connection: Connection, login: str) -> None:
    """Give `login` (an existing PostgreSQL role) exactly the rights of the web role."""
    who = sql.Identifier(login)
    raw = connection.connection.driver_connection
    if raw is None:
        raise TypeError("a PostgreSQL connection is needed")
    cursor = raw.cursor()
    tables = sql.SQL(", ").join(sql.Identifier(name) for name in sorted(metadata.tables))
    cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(tables, who))
    cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, who))
    for name in WEB_MAY_WRITE:
        rights = sql.SQL("INSERT" if name in INSERT_ONLY else "INSERT, UPDATE, DELETE")
        cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(rights, sql.Identifier(name), who))
    cursor.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier("audit_seq_seq"), who))
    cursor.close()
