"""Errors as people read them: a page for a browser, an RFC 9457 problem for a program."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from connectors.store.error import StoreAwayError, StoreError
from daemon.web.refusal import RefusalError
from daemon.web.rendering import Json, page
from daemon.web.site import Site

_PLAIN = {404: "There is nothing at this address.", 405: "This address does not take that method."}


def is_api(request: Request) -> bool:
    """Return whether the caller is a program."""
    return request.url.path.startswith("/api/")


def refuse(request: Request, site: Site, refusal: RefusalError) -> Response:
    """Return the answer to a refused request and count it."""
    site.metrics.refusals.labels(refusal.guard).inc()
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 and is_api(request) else {}
    if refusal.status == 503:
        headers["Retry-After"] = "5"
    if is_api(request):
        return problem(refusal, headers)
    return page(site, "error.html", status=refusal.status, headers=headers, refusal=refusal)


def problem(refusal: RefusalError, headers: dict[str, str]) -> Response:
    """Return an RFC 9457 problem that names the guard."""
    document = {
        "type": f"urn:davylamp:guard:{refusal.guard}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.reason,
        "guard": refusal.guard,
    }
    return Json(document, refusal.status, headers, media_type="application/problem+json")


def handlers(site: Site) -> dict[type[Exception] | int, Callable[[Request, Exception], Response]]:
    """Return the exception handlers of the application."""

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusalError)
        return refuse(request, site, error)

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        guard = "not_found" if error.status_code == 404 else "body"
        reason = _PLAIN.get(error.status_code, HTTPStatus(error.status_code).phrase)
        return refuse(request, site, RefusalError(error.status_code, guard, reason))

    def store(request: Request, error: Exception) -> Response:
        away = isinstance(error, StoreAwayError)
        site.health.report("database", False, str(error))
        structlog.get_logger("davylamp.web").warning("store", away=away, error=str(error))
        reason = "The database cannot be reached now. The machine's own work does not depend on this page."
        return refuse(request, site, RefusalError(503, "store", reason))

    def internal(request: Request, error: Exception) -> Response:
        structlog.get_logger("davylamp.web").error("request failed", error=type(error).__name__)
        return refuse(
            request, site, RefusalError(500, "internal", "Davylamp made a mistake. Its log says which.")
        )

    return {RefusalError: refused, HTTPException: http, StoreError: store, Exception: internal}
