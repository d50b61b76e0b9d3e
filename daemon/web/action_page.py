"""The plan page: what exactly would happen, to what, who feels it, and the two buttons."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.store import forcing, reading
from connectors.store.records import ActionRecord, TargetState
from daemon.web import consumers_view, entry, plan_view
from daemon.web.deciding import Decision, decide, subjects_of, why_not
from daemon.web.forcing import force
from daemon.web.identity import Person, reader
from daemon.web.incident_page import row_id
from daemon.web.refusal import RefusalError
from daemon.web.rendering import page
from daemon.web.site import Site, site_of

_BUTTONS: Final[tuple[tuple[Decision, str], ...]] = (("approve", "Approve this plan"), ("reject", "Reject"))
_NOTICES: Final = {
    "approve": "Your approval is recorded. The machine starts when enough people agree and its guards pass.",
    "force": "Your word is recorded. Whoever is named is cut off when enough people agree.",
    "reject": "Your rejection is recorded. The machine will not carry out this plan.",
}


async def load(site: Site, action_id: str) -> tuple[ActionRecord, frozenset[str], TargetState]:
    """Return the action, the subjects of its incident, and its target's state. Refuses unknown ids (404)."""

    def query(connection: Connection) -> tuple[ActionRecord, frozenset[str], TargetState] | None:
        record = reading.action(connection, action_id)
        if record is None:
            return None
        return record, subjects_of(connection, record), reading.target(connection, record.target_key)

    found = await site.read(query)
    if found is None:
        raise RefusalError(404, "not_found", "There is no action with this id.")
    return found


async def action_page(request: Request) -> Response:
    """GET /actions/{id}."""
    site = site_of(request)
    who = await reader(request, site)
    record, subjects, target = await load(site, row_id(request))
    consumers = consumers_view.table(record)
    words = await site.read(lambda connection: forcing.votes(connection, record.id)) if consumers else ()
    return page(
        site,
        "action.html",
        who=who,
        action=record,
        target=target,
        steps=plan_view.steps(record),
        guards=plan_view.guards(record),
        blast_radius=plan_view.blast_radius(record),
        undo=plan_view.undo(record),
        outlook=plan_view.outlook(record),
        digest_parts=plan_view.digest_parts(record.digest),
        consumers=consumers,
        agreed=consumers.agreed_by(words) if consumers else (),
        decisions=[(verb, title, _reason(site, who, record, subjects, verb)) for verb, title in _BUTTONS],
        notice=_NOTICES.get(request.query_params.get("done", ""), ""),
    )


async def approve_form(request: Request) -> Response:
    """POST /actions/{id}/approve."""
    return await _decide(request, "approve")


async def reject_form(request: Request) -> Response:
    """POST /actions/{id}/reject."""
    return await _decide(request, "reject")


async def force_form(request: Request) -> Response:
    """POST /actions/{id}/force."""
    site = site_of(request)
    action_id = row_id(request)
    who, fields = await entry.by_form(request, site, forcing.DEED, action_id)
    await force(site, who, action_id, fields.get("digest", ""))
    return RedirectResponse(f"/actions/{action_id}?done=force", 303)


async def _decide(request: Request, decision: Decision) -> Response:
    site = site_of(request)
    action_id = row_id(request)
    who, fields = await entry.by_form(request, site, f"action.{decision}", action_id)
    await decide(site, who, action_id, decision, fields.get("digest", ""))
    return RedirectResponse(f"/actions/{action_id}?done={decision}", 303)


def _reason(
    site: Site, who: Person | None, record: ActionRecord, subjects: frozenset[str], decision: Decision
) -> str:
    approvers = site.settings.web.approvers
    if not approvers:
        return "No approvers are configured, so nobody can decide here."
    if who is None or who.session is None:
        return "Only a named approver can decide."
    no = why_not(record, subjects, approvers, who.approver, decision, record.digest, site.clock())
    return no.reason if no else ""
