"""Pages for the person on call: once an occasion, folded into one storm page when there are too many."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select

from connectors.store import deliveries, timeline
from connectors.store.schema import incidents
from detectors.event import Fields
from detectors.level import parse_level
from playbooks.incident import notification_id
from playbooks.policy import NotifierRule, Policy

SCHEMA: Final = "davylamp.page/1"
HOUR_S: Final = 3600.0


def page(
    connection: Connection,
    policy: Policy,
    incident_id: str,
    occasion: str,
    text: str,
    now: float,
    *,
    always: bool = False,
) -> int:
    """Queue a page to every notifier that wants the incident's level (`always`: to all); return how many.

    `occasion` makes it one page for ever: "opened", "level:critical", "proposal:ACTION", ...
    """
    row = connection.execute(select(incidents).where(incidents.c.id == incident_id)).mappings().one()
    if row["stale"]:
        return 0
    level = parse_level(row["level"])
    queued = 0
    for notifier in policy.notifiers:
        if always or notifier.wants(level):
            queued += _queue(connection, policy, notifier, row, occasion, text, now)
    if queued:
        timeline.append(connection, incident_id, now, "page", f"paged: {text}", {"occasion": occasion})
    return queued


def _queue(
    connection: Connection,
    policy: Policy,
    notifier: NotifierRule,
    row: Any,
    occasion: str,
    text: str,
    now: float,
) -> int:
    identifier = notification_id(row["id"], notifier.name, occasion)
    message = _message(row, occasion, text)
    if deliveries.since(connection, notifier.name, now - HOUR_S) >= policy.max_pages_per_hour:
        # A flood of incidents must not bury the one page that says so.
        hour = int(now // HOUR_S)
        identifier = notification_id(policy.site, notifier.name, f"storm:{hour}")
        message = _message(
            row, "storm", f"more than {policy.max_pages_per_hour} pages in an hour: read the queue"
        )
    return int(deliveries.put(connection, identifier, row["id"], notifier.name, message, now))


def _message(row: Any, occasion: str, text: str) -> Fields:
    return {
        "schema": SCHEMA,
        "occasion": occasion,
        "incident_id": row["id"],
        "number": row["number"],
        "key": row["key"],
        "level": row["level"],
        "status": row["status"],
        "title": row["title"],
        "text": text[:1000],
        "playbook": row["playbook_id"],
        "path": f"/incidents/{row['id']}",
    }
