"""The gate before every handler: a known Host, a bounded body, a counted answer."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.errors import refuse
from daemon.web.refusal import RefusalError
from daemon.web.site import Site

MAX_BODY: Final = 16 * 1024
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})


class Gate:
    """ASGI middleware. An unknown Host is refused (421) before any look-up: DNS rebinding ends here."""

    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on one request, and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        counted = self._counting(scope["method"], send)
        refusal = self._refusal(request)
        if refusal is not None:
            await refuse(request, self._site, refusal)(scope, receive, counted)
            return
        await self._app(scope, receive, counted)

    def _refusal(self, request: Request) -> RefusalError | None:
        if host_name(request.headers.getlist("host")) not in self._site.hosts:
            return RefusalError(421, "host", "This address is not served here. Use the site's own address.")
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > MAX_BODY:
            return RefusalError(413, "body", f"A body may have at most {MAX_BODY} bytes.")
        return None

    def _counting(self, method: str, send: Send) -> Send:
        label = method if method in _METHODS else "other"

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._site.metrics.requests.labels(label, f"{message['status'] // 100}xx").inc()
            await send(message)

        return counting


def host_name(headers: list[str]) -> str:
    """Return the host name of exactly one Host header, in lower case, or "" when it is not one."""
    if len(headers) != 1:
        return ""
    try:
        parts = urlsplit(f"//{headers[0]}")
        name, _port = parts.hostname, parts.port
    except ValueError:
        return ""
    plain = not (parts.path or parts.query or parts.fragment or parts.username or parts.password)
    return name or "" if plain else ""
