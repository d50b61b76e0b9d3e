"""The JSON API. Reading follows the pages' rule; every POST needs an approver's bearer token."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from connectors.store import audit, reading, sessions
from connectors.store.forcing import DEED
from connectors.store.records import IncidentRow
from daemon.web import action_page, documents, entry, incident_page
from daemon.web.acknowledging import acknowledge
from daemon.web.deciding import Decision, decide
from daemon.web.forcing import force
from daemon.web.identity import reader
from daemon.web.incident_page import row_id
from daemon.web.refusal import RefusalError
from daemon.web.rendering import Json
from daemon.web.site import site_of

_STATES = ("open", "closed", "all")
_MAX_LIMIT = 200


async def incidents(request: Request) -> Response:
    """GET /api/incidents?state=open|closed|all&since_seq=N&limit=N: in order of `updated_seq`."""
    site = site_of(request)
    await reader(request, site)
    state = request.query_params.get("state", "all")
    if state not in _STATES:
        raise RefusalError(400, "body", f"state is one of {', '.join(_STATES)}.")
    since, limit = _number(request, "since_seq", 0), _number(request, "limit", 100)
    limit = max(1, min(limit, _MAX_LIMIT))

    def query(connection: Connection) -> tuple[list[IncidentRow], list[tuple[str, str, float]]]:
        rows = reading.incidents_since(connection, state=state, since_seq=since, limit=limit)
        return list(rows), list(reading.switches(connection))

    rows, switches = await site.read(query)
    return Json(
        {
            "incidents": [documents.incident_line(row) for row in rows],
            "next_since_seq": rows[-1].updated_seq if rows else since,
            "kill_switch": site.settings.response.kill_switch or bool(switches),
        }
    )


async def incident(request: Request) -> Response:
    """GET /api/incidents/{id}."""
    site = site_of(request)
    await reader(request, site)
    record, targets = await incident_page.load(site, row_id(request))
    document = documents.incident(record, site.clock())
    return Json({**document, "targets": [documents.target(state) for state in targets.values()]})


async def proof(request: Request) -> Response:
    """GET /api/incidents/{id}/proof.json: the proofs of the incident's actions, oldest first."""
    site = site_of(request)
    await reader(request, site)
    record, _ = await incident_page.load(site, row_id(request))
    proofs = [action.proof for action in record.actions if action.proof is not None]
    return Json({"incident_id": record.row.id, "proofs": proofs})


async def action(request: Request) -> Response:
    """GET /api/actions/{id}."""
    site = site_of(request)
    await reader(request, site)
    record, _, target = await action_page.load(site, row_id(request))
    return Json({**documents.action(record), "target_state": documents.target(target)})


async def approve(request: Request) -> Response:
    """POST /api/actions/{id}/approve {"digest": ...}."""
    return await _decide(request, "approve")


async def reject(request: Request) -> Response:
    """POST /api/actions/{id}/reject {"digest": ...}."""
    return await _decide(request, "reject")


async def force_consumers(request: Request) -> Response:
    """POST /api/actions/{id}/force {"digest": ...}: cut off the consumers that the digest names."""
    site = site_of(request)
    action_id = row_id(request)
    who, fields = await entry.by_token(request, site, DEED, action_id)
    record = await force(site, who, action_id, fields.get("digest", ""))
    return Json(documents.action(record))


async def acknowledge_incident(request: Request) -> Response:
    """POST /api/incidents/{id}/acknowledge."""
    site = site_of(request)
    incident_id = row_id(request)
    who, _ = await entry.by_token(request, site, "incident.acknowledge", incident_id)
    new = await acknowledge(site, who, incident_id)
    return Json({"incident_id": incident_id, "person": who.name, "new": new})


async def session_link(request: Request) -> Response:
    """POST /api/session-links: a one-time link for the approver whose token it is."""
    site = site_of(request)
    who, _ = await entry.by_token(request, site, "session.link", "link")
    token, now = site.token(), site.clock()
    expires_at = now + site.settings.web.link_minutes * 60

    def create(connection: Connection) -> None:
        sessions.create_link(connection, token, who.name, expires_at)
        audit.record(connection, now, who.name, "session.link", "link", "done")

    await site.write(create)
    body = {
        "approver": who.name,
        "url": f"{site.origin}/session/{token}",
        "expires_at": documents.time(expires_at),
    }
    return Json(body, 201)


async def _decide(request: Request, decision: Decision) -> Response:
    site = site_of(request)
    action_id = row_id(request)
    who, fields = await entry.by_token(request, site, f"action.{decision}", action_id)
    record = await decide(site, who, action_id, decision, fields.get("digest", ""))
    return Json(documents.action(record))


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise RefusalError(400, "body", f"{name} is a number.")
    return int(text)
