"""The kill switch on the pages: any approver may stop, and may release what a page stopped."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors.store import switches
from daemon.web import entry
from daemon.web.identity import Person
from daemon.web.refusal import RefusalError
from daemon.web.rendering import Json
from daemon.web.site import Site, site_of


def why_not(site: Site, who: Person | None) -> str:
    """Return why the reader of a page may not use the switch, or ""."""
    if not site.settings.web.approvers:
        return "No approvers are configured; on the command line: davylamp switch engage."
    if who is None or who.session is None:
        return "Only a named approver can stop everything here."
    return ""


async def engage_form(request: Request) -> Response:
    """POST /switch/engage."""
    return await _by_form(request, on=True)


async def release_form(request: Request) -> Response:
    """POST /switch/release."""
    return await _by_form(request, on=False)


async def engage_by_token(request: Request) -> Response:
    """POST /api/switches/{name}/engage."""
    return await _by_token(request, on=True)


async def release_by_token(request: Request) -> Response:
    """POST /api/switches/{name}/release: 409 while a command's engagement keeps it on."""
    return await _by_token(request, on=False)


async def _by_form(request: Request, *, on: bool) -> Response:
    site = site_of(request)
    deed = "switch.engage" if on else "switch.release"
    who, fields = await entry.by_form(request, site, deed, "switch")
    await _turn(site, who, fields.get("name", "all"), on=on)
    return RedirectResponse("/", 303)


async def _by_token(request: Request, *, on: bool) -> Response:
    site = site_of(request)
    name = str(request.path_params["name"])
    deed = "switch.engage" if on else "switch.release"
    who, _ = await entry.by_token(request, site, deed, "switch")
    await _turn(site, who, name, on=on)
    return Json({"switch": name, "engaged": on})


async def _turn(site: Site, who: Person, name: str, *, on: bool) -> None:
    """Turn the switch. Refuses (400) a wrong name, (409) what stays on because a command engaged it."""
    now = site.clock()

    def change(connection: Connection) -> bool:
        if on:
            switches.engage(connection, name, who.name, now, page=True)
            return True
        return switches.release(connection, name, who.name, now, page=True)

    try:
        done = await site.write(change)
    except ValueError as error:
        refusal = RefusalError(400, "body", "A switch is named all or verb:NAME.")
        await entry.refused(site, who, "switch", "switch", refusal)
        raise refusal from error
    if not done:
        text = "It stays on: a command engaged it, and only `davylamp switch release` releases that."
        raise RefusalError(409, "kill_switch", text)
