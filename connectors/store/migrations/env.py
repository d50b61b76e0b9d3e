"""Alembic runs this; `connectors.store.database.upgrade` gives the connection, in its transaction."""

from __future__ import annotations

from alembic import context

from connectors.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
