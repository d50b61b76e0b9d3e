"""The application: routes, gate, headers, errors."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from daemon.web import action_page, api, errors, incident_page, queue_page, session_page, switch_page
from daemon.web.gate import Gate
from daemon.web.rendering import style_sheet
from daemon.web.security_headers import SecurityHeaders
from daemon.web.site import Site


def create(site: Site) -> ASGIApp:
    """Return the ASGI application of a site; the headers are outermost, so that even a 500 has them."""
    app = Starlette(
        routes=_routes(), middleware=[Middleware(Gate, site=site)], exception_handlers=errors.handlers(site)
    )
    app.state.site = site
    return SecurityHeaders(app, secure=site.secure)


def _routes() -> list[Route]:
    return [
        Route("/", queue_page.queue_page),
        Route("/incidents/{id}", incident_page.incident_page),
        Route("/incidents/{id}/acknowledge", incident_page.acknowledge_form, methods=["POST"]),
        Route("/actions/{id}", action_page.action_page),
        Route("/actions/{id}/approve", action_page.approve_form, methods=["POST"]),
        Route("/actions/{id}/reject", action_page.reject_form, methods=["POST"]),
        Route("/switch/engage", switch_page.engage_form, methods=["POST"]),
        Route("/switch/release", switch_page.release_form, methods=["POST"]),
        Route("/actions/{id}/force", action_page.force_form, methods=["POST"]),
        Route("/session", session_page.sign_in_page),
        Route("/session", session_page.sign_in, methods=["POST"]),
        Route("/session/{token}", session_page.link_page),
        Route("/session/{token}", session_page.spend_link, methods=["POST"]),
        Route("/logout", session_page.sign_out, methods=["POST"]),
        Route("/static/davylamp.css", _style),
        Route("/api/incidents", api.incidents),
        Route("/api/incidents/{id}", api.incident),
        Route("/api/incidents/{id}/proof.json", api.proof),
        Route("/api/incidents/{id}/acknowledge", api.acknowledge_incident, methods=["POST"]),
        Route("/api/actions/{id}", api.action),
        Route("/api/actions/{id}/approve", api.approve, methods=["POST"]),
        Route("/api/actions/{id}/reject", api.reject, methods=["POST"]),
        Route("/api/switches/{name}/engage", switch_page.engage_by_token, methods=["POST"]),
        Route("/api/switches/{name}/release", switch_page.release_by_token, methods=["POST"]),
        Route("/api/actions/{id}/force", api.force_consumers, methods=["POST"]),
        Route("/api/session-links", api.session_link, methods=["POST"]),
    ]


async def _style(_request: Request) -> Response:
    return Response(
        style_sheet()[0],
        media_type="text/css",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
