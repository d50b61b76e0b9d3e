"""How a state-changing request comes in: by our own form with a session, or by a program with a token.

Every refusal here is an audit row; strangers share a budget of rows (`audit_budget.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection
from starlette.requests import Request

from connectors.store import audit
from daemon.web import body, forgery
from daemon.web.identity import Person, person
from daemon.web.refusal import RefusalError
from daemon.web.site import Site


async def by_form(request: Request, site: Site, deed: str, subject: str) -> tuple[Person, Mapping[str, str]]:
    """Return who posted one of our forms, and its fields. Refuses strangers and forgeries (401, 403)."""
    who: Person | None = None
    try:
        forgery.require_own_origin(request, site)
        who = await person(request, site)
        fields = await body.form(request)
        if who is None or who.session is None:
            raise RefusalError(
                401, "session", "Your session is over or was never begun. Sign in, then try again."
            )
        forgery.require_form_token(who.session, fields.get("csrf", ""))
    except RefusalError as refusal:
        await refused(site, who, deed, subject, refusal)
        raise
    return who, fields


async def by_stranger_form(request: Request, site: Site, deed: str, subject: str) -> Mapping[str, str]:
    """Return the fields of a form that needs no session yet (sign-in): its origin is all that is checked."""
    try:
        forgery.require_own_origin(request, site)
        return await body.form(request)
    except RefusalError as refusal:
        await refused(site, None, deed, subject, refusal)
        raise


async def by_token(request: Request, site: Site, deed: str, subject: str) -> tuple[Person, Mapping[str, str]]:
    """Return the approver of a bearer token and the texts of the JSON body. Cookies do not count (401)."""
    who: Person | None = None
    try:
        if "authorization" not in request.headers:
            raise RefusalError(401, "token", "Give an approver's token: Authorization: Bearer TOKEN.")
        who = await person(request, site)
        if who is None:
            raise RefusalError(401, "token", "The bearer token belongs to no approver.")
        return who, await body.json_texts(request)
    except RefusalError as refusal:
        await refused(site, who, deed, subject, refusal)
        raise


async def refused(site: Site, who: Person | None, deed: str, subject: str, refusal: RefusalError) -> None:
    """Record a refusal. A stranger's beyond the budget is only counted (metric)."""
    now = site.clock()
    if who is None and not site.budget.allow(now):
        return

    def write(connection: Connection) -> None:
        detail = {"guard": refusal.guard, "reason": refusal.reason}
        audit.record(connection, now, who.name if who else "anonymous", deed, subject, "refused", detail)

    await site.write(write)
