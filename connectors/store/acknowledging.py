"""What people wrote on the pages, made part of the incident: the web role may not write incidents itself."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from connectors.store import incidents
from connectors.store.database import Database
from connectors.store.schema import acknowledgements
from connectors.store.schema import incidents as table


def apply(database: Database, now: float) -> int:
    """Acknowledge the incidents that somebody acknowledged since the last time; return how many."""
    query = (
        select(acknowledgements.c.incident_id, acknowledgements.c.person)
        .join(table, table.c.id == acknowledgements.c.incident_id)
        .where(
            table.c.status.in_(("new", "reopened")),
            or_(table.c.acked_at.is_(None), acknowledgements.c.at > func.coalesce(table.c.acked_at, 0.0)),
        )
        .order_by(acknowledgements.c.at, acknowledgements.c.person)
    )
    with database.reading() as connection:
        if connection.execute(query.limit(1)).first() is None:
            return 0
    done: set[str] = set()
    with database.transaction() as connection:
        for incident_id, person in connection.execute(query).all():
            if incident_id not in done:
                incidents.transition(connection, incident_id, "acknowledged", now, person)
                done.add(incident_id)
    return len(done)
