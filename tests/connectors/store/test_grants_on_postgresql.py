"""On a real PostgreSQL the web role's login may write its own tables and no other."""

from __future__ import annotations

import secrets

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import insert, make_url

from connectors.store import audit
from connectors.store.database import Database
from connectors.store.error import WriteDeniedError
from connectors.store.grants import grant_web
from connectors.store.schema import WEB_MAY_WRITE, metadata, session_links

pytestmark = pytest.mark.integration


@pytest.fixture
def web(postgres_server):
    name, password = f"web_{secrets.token_hex(4)}", secrets.token_hex(16)
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        query = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(query.format(sql.Identifier(name), sql.Literal(password)))
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE davylamp_template").format(sql.Identifier(name))
        )
        port = connection.info.port
        owner = make_url("postgresql+psycopg://").set(
            username=connection.info.user,
            password=connection.info.password,
            host="127.0.0.1",
            port=port,
            database=name,
        )
    store = Database(owner.render_as_string(hide_password=False))
    with store.transaction() as connection:
        grant_web(connection, name)
    store.close()
    opened = Database(
        owner.set(username=name, password=password).render_as_string(hide_password=False), role="web"
    )
    yield opened
    opened.close()


def test_it_writes_its_own_tables(web):
    with web.transaction() as connection:
        connection.execute(insert(session_links).values(token_sha256="0", approver="alice", expires_at=2.0))
        audit.record(connection, 1.0, "alice", "approve", "a", "allowed")
    with web.reading() as connection:
        assert audit.verify(connection) == []


@pytest.mark.parametrize("table", sorted(set(metadata.tables) - set(WEB_MAY_WRITE)))
def test_it_writes_no_other_table(web, table):
    with pytest.raises(WriteDeniedError), web.transaction() as connection:
        connection.exec_driver_sql(f"DELETE FROM {table}")


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET actor = 'x'"])
def test_it_only_adds_to_audit(web, statement):
    with pytest.raises(WriteDeniedError), web.transaction() as connection:
        connection.exec_driver_sql(statement)
