"""Signing in: a one-time link or the approver's token becomes a session; signing out ends it.

A link is spent by POST only, so that scanners which open every link of a message spend none.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from config.web import Approver
from connectors.store import audit, sessions
from daemon.web import entry
from daemon.web.identity import approver_named, approver_of_token, person
from daemon.web.refusal import RefusalError
from daemon.web.rendering import page
from daemon.web.site import Site, site_of

_LINK_GONE = "This link was used before, has expired, or never was. Ask for a new one."


async def link_page(request: Request) -> Response:
    """GET /session/{token}: say whose link it is; spend nothing."""
    site = site_of(request)
    token, now = request.path_params["token"], site.clock()
    name = await site.read(lambda connection: sessions.link_owner(connection, token, now))
    approver = approver_named(site.settings.web.approvers, name) if name else None
    if approver is None:
        raise RefusalError(410, "link", _LINK_GONE)
    hours = site.settings.web.session_hours
    return page(site, "link.html", name=approver.name, action=f"/session/{token}", hours=hours)


async def spend_link(request: Request) -> Response:
    """POST /session/{token}: spend the link, begin the session."""
    site = site_of(request)
    await entry.by_stranger_form(request, site, "session.open", "link")
    token, now = request.path_params["token"], site.clock()
    name = await site.write(lambda connection: sessions.spend_link(connection, token, now))
    approver = approver_named(site.settings.web.approvers, name) if name else None
    if approver is None:
        refusal = RefusalError(410, "link", _LINK_GONE)
        await entry.refused(site, None, "session.open", "link", refusal)
        raise refusal
    return await _begin(site, approver, "link")


async def sign_in_page(request: Request) -> Response:
    """GET /session: the form for an approver's token."""
    site = site_of(request)
    return page(site, "sign_in.html", who=await person(request, site))


async def sign_in(request: Request) -> Response:
    """POST /session: begin a session with the approver's token."""
    site = site_of(request)
    fields = await entry.by_stranger_form(request, site, "session.open", "token")
    approver = approver_of_token(site.settings.web.approvers, fields.get("token", "").strip())
    if approver is None:
        refusal = RefusalError(401, "token", "This token belongs to no approver.")
        await entry.refused(site, None, "session.open", "token", refusal)
        raise refusal
    return await _begin(site, approver, "token")


async def sign_out(request: Request) -> Response:
    """POST /logout: end the session."""
    site = site_of(request)
    who, _ = await entry.by_form(request, site, "session.close", "session")
    token, now = request.cookies.get(site.cookie, ""), site.clock()

    def end(connection: Connection) -> None:
        sessions.close_session(connection, token)
        audit.record(connection, now, who.name, "session.close", "session", "done")

    await site.write(end)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(site.cookie, "/", secure=site.secure, httponly=True, samesite="strict")
    return answer


async def _begin(site: Site, approver: Approver, by: str) -> Response:
    token, now = site.token(), site.clock()
    lasts = site.settings.web.session_hours * 3600

    def begin(connection: Connection) -> None:
        sessions.open_session(connection, token, approver.name, now, now + lasts)
        audit.record(connection, now, approver.name, "session.open", by, "done")

    await site.write(begin)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        site.cookie, token, max_age=int(lasts), path="/", secure=site.secure, httponly=True, samesite="strict"
    )
    return answer
