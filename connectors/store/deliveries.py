"""The ledger of pages: what each notifier must be told, once, and whether it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from connectors.store.canonical import dumps, storable
from connectors.store.schema import deliveries
from detectors.event import Fields, Json


class Delivery(NamedTuple):
    """One page to one notifier. `attempts` counts the failed ones."""

    notification_id: str
    incident_id: str
    notifier: str
    message: Fields
    attempts: int


def put(
    connection: Connection,
    notification_id: str,
    incident_id: str,
    notifier: str,
    message: Mapping[str, Json],
    at: float,
) -> bool:
    """Queue a page to be sent from `at` (seconds, UTC); return False when that page is already known."""
    known = connection.execute(
        select(deliveries.c.state).where(deliveries.c.notification_id == notification_id)
    ).scalar()
    if known is not None:
        return False
    connection.execute(
        insert(deliveries).values(
            notification_id=notification_id,
            incident_id=incident_id,
            notifier=notifier,
            message=dumps(dict(message)),
            next_at=at,
        )
    )
    return True


def due(connection: Connection, now: float, limit: int = 100) -> list[Delivery]:
    """Return the pages to send now, the longest due first."""
    rows = connection.execute(
        select(
            deliveries.c.notification_id,
            deliveries.c.incident_id,
            deliveries.c.notifier,
            deliveries.c.message,
            deliveries.c.attempts,
        )
        .where(deliveries.c.state == "pending", deliveries.c.next_at <= now)
        .order_by(deliveries.c.next_at, deliveries.c.notification_id)
        .limit(limit)
    )
    return [Delivery(n, incident, name, json.loads(text), tries) for n, incident, name, text, tries in rows]


def delivered(connection: Connection, notification_id: str, at: float) -> None:
    """Record that the notifier took the page."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.notification_id == notification_id)
        .values(state="delivered", delivered_at=at, last_error="")
    )


def failed(
    connection: Connection, notification_id: str, at: float, error: str, next_at: float | None
) -> None:
    """Record a failed try at `at`; with `next_at` None no further one is made. `error` holds no secret."""
    values = {"attempts": deliveries.c.attempts + 1, "last_error": storable(error, 500)}
    final = {"state": "failed", "next_at": at} if next_at is None else {"next_at": next_at}
    connection.execute(
        update(deliveries).where(deliveries.c.notification_id == notification_id).values({**values, **final})
    )


def since(connection: Connection, notifier: str, at: float) -> int:
    """Return how many pages were queued or tried for a notifier since `at` (seconds, UTC)."""
    return connection.execute(
        select(func.count())
        .select_from(deliveries)
        .where(deliveries.c.notifier == notifier, deliveries.c.next_at >= at)
    ).scalar_one()
