"""Who asks: an approver by session cookie or by bearer token, or nobody."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request

from config.web import Approver
from connectors.store import sessions
from daemon.web.refusal import RefusalError
from daemon.web.site import Site


@dataclass(frozen=True, slots=True)
class Person:
    """A known approver. `form_token` goes into every form; it is empty for bearer tokens."""

    approver: Approver
    via: Literal["page", "api"]
    session: sessions.Session | None = None
    form_token: str = ""

    @property
    def name(self) -> str:
        """The approver's name."""
        return self.approver.name


def approver_of_token(approvers: Sequence[Approver], token: str) -> Approver | None:
    """Return whose token it is. Compares the hash with every approver's, in constant time each."""
    offered = sessions.token_sha256(token)
    found: Approver | None = None
    for approver in approvers:
        if hmac.compare_digest(offered, approver.token_sha256):
            found = approver
    return found


def approver_named(approvers: Sequence[Approver], name: str) -> Approver | None:
    """Return the approver of that name; a session outlives a removed approver, its rights do not."""
    return next((approver for approver in approvers if approver.name == name), None)


async def person(request: Request, site: Site) -> Person | None:
    """Return who asks, or None. A wrong bearer token is refused (401), never taken for nobody."""
    header = request.headers.get("authorization")
    if header is not None:
        return _by_bearer(header, site)
    token = request.cookies.get(site.cookie, "")
    if not token:
        return None
    now = site.clock()
    session = await site.read(lambda connection: sessions.session(connection, token, now))
    approver = approver_named(site.settings.web.approvers, session.approver) if session else None
    if session is None or approver is None:
        return None
    return Person(approver, "page", session, sessions.csrf_token(token))


async def reader(request: Request, site: Site) -> Person | None:
    """Return who reads; refuse (401) a stranger when pages are not open (beyond loopback)."""
    who = await person(request, site)
    if who is None and not site.open_reading:
        raise RefusalError(401, "session", "Sign in with a one-time link or your approver token first.")
    return who


def _by_bearer(header: str, site: Site) -> Person:
    scheme, _, token = header.partition(" ")
    approver = None
    if scheme.lower() == "bearer" and token:
        approver = approver_of_token(site.settings.web.approvers, token.strip())
    if approver is None:
        raise RefusalError(401, "token", "The bearer token belongs to no approver.")
    return Person(approver, "api")
