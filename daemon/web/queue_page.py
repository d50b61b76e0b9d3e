"""The front page: what is open, how bad, whose, and what it waits for; proposals first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from connectors.store import reading
from connectors.store.records import ActionRecord, IncidentRow, Queue
from daemon.web import switch_page
from daemon.web.identity import reader
from daemon.web.narrative import Wait, waits
from daemon.web.rendering import page
from daemon.web.site import site_of


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One open incident, what it waits for first, and who is on it."""

    row: IncidentRow
    wait: Wait
    person: str | None
    grade: str | None


async def queue_page(request: Request) -> Response:
    """GET /."""
    site = site_of(request)
    who = await reader(request, site)
    now = site.clock()

    def load(connection: Connection) -> tuple[Queue, dict[str, str], frozenset[str]]:
        found = reading.queue(connection)
        persons = reading.acknowledged(connection, [row.id for row in found.open])
        return found, persons, reading.page_switches(connection)

    found, persons, ours = await site.read(load)
    lines = [_line(row, found.actions, persons.get(row.id), now) for row in found.open]
    return page(
        site,
        "queue.html",
        who=who,
        queue=found,
        lines=lines,
        proposals=[action for action in found.actions if action.waiting and not _expired(action, now)],
        stopped=site.settings.response.kill_switch or bool(found.switches),
        configured=site.settings.response.kill_switch,
        releasable=sorted(ours),
        switching=switch_page.why_not(site, who),
        mode=site.settings.response.mode,
    )


def _line(row: IncidentRow, actions: Sequence[ActionRecord], person: str | None, now: float) -> QueueLine:
    mine = [action for action in actions if action.incident_id == row.id]
    grades = [action.proof.get("grade") for action in mine if action.proof and not action.drill]
    person = person or (row.owner if row.acked_at is not None else None)
    wait = waits(row, mine, person is not None, now)[0]
    return QueueLine(row, wait, person, next((str(grade) for grade in grades if grade), None))


def _expired(action: ActionRecord, now: float) -> bool:
    return action.expires_at is not None and action.expires_at <= now
