"""One incident on one page, in the order in which it is needed at 3 a.m."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.store import reading
from connectors.store.records import IncidentRecord, TargetState
from daemon.web import documents, entry
from daemon.web.acknowledging import acknowledge
from daemon.web.identity import reader
from daemon.web.narrative import deeds, waits
from daemon.web.playbook_section import section_html
from daemon.web.proof_panel import panel
from daemon.web.refusal import RefusalError
from daemon.web.rendering import page
from daemon.web.site import Site, site_of

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def row_id(request: Request) -> str:
    """Return the id of the address. Refuses (404) what cannot be one, before any query."""
    given = request.path_params["id"]
    if not _ID.match(given):
        raise RefusalError(404, "not_found", "There is nothing with this id.")
    return given


async def load(site: Site, incident_id: str) -> tuple[IncidentRecord, dict[str, TargetState]]:
    """Return the incident and what is known of the targets of its actions. Refuses unknown ids (404)."""

    def query(connection: Connection) -> tuple[IncidentRecord | None, dict[str, TargetState]]:
        found = reading.incident(connection, incident_id)
        keys = {action.target_key for action in found.actions} if found else set[str]()
        return found, {key: reading.target(connection, key) for key in sorted(keys)}

    record, targets = await site.read(query)
    if record is None:
        raise RefusalError(404, "not_found", "There is no incident with this id.")
    return record, targets


async def incident_page(request: Request) -> Response:
    """GET /incidents/{id}."""
    site = site_of(request)
    who = await reader(request, site)
    record, targets = await load(site, row_id(request))
    now = site.clock()
    playbook = site.playbooks.get(record.row.playbook_id)
    acknowledged = bool(record.acknowledged_by) or record.row.acked_at is not None
    return page(
        site,
        "incident.html",
        who=who,
        record=record,
        row=record.row,
        targets=targets,
        deeds=deeds(record),
        waits=waits(record.row, record.actions, acknowledged, now),
        acknowledged=acknowledged,
        panels=[shown for action in record.actions if (shown := panel(action)) is not None],
        proposals=[action for action in record.actions if action.state == "proposed"],
        playbook=playbook,
        playbook_html=section_html(playbook, documents.incident(with_primary_last(record), now)),
        notice="Acknowledged. It is yours now." if request.query_params.get("done") == "acknowledged" else "",
    )


async def acknowledge_form(request: Request) -> Response:
    """POST /incidents/{id}/acknowledge."""
    site = site_of(request)
    incident_id = row_id(request)
    who, _ = await entry.by_form(request, site, "incident.acknowledge", incident_id)
    await acknowledge(site, who, incident_id)
    return RedirectResponse(f"/incidents/{incident_id}?done=acknowledged", 303)


def with_primary_last(record: IncidentRecord) -> IncidentRecord:
    """Return the record with the actions on its primary credential last, which a playbook speaks of."""
    mine = sorted(
        record.actions, key=lambda action: record.row.primary_id.endswith(f":{action.mount}/{action.name}")
    )
    return replace(record, actions=mine)
