"""Is a state-changing request really from our own page? Origin, Fetch metadata and the form token."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from connectors.store.sessions import Session, csrf_matches
from daemon.web.refusal import RefusalError
from daemon.web.site import Site


def require_own_origin(request: Request, site: Site) -> None:
    """Refuse (403) unless the browser says that the request came from this site.

    Browsers send Origin with every POST and Sec-Fetch-Site on trustworthy addresses; a request with
    neither is not from a browser's form, and those have the API with its bearer token.
    """
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched is None and origin is None:
        raise RefusalError(403, "origin", "The request does not say which page it came from.")
    if fetched is not None and fetched != "same-origin":
        raise RefusalError(403, "origin", "The request came from another site.")
    if origin is not None and origin not in _own_origins(request, site):
        raise RefusalError(403, "origin", "The request came from another site.")


def require_form_token(session: Session, posted: str) -> None:
    """Refuse (403) a form whose token is not bound to this session."""
    if not csrf_matches(session, posted):
        raise RefusalError(403, "csrf", "The form is not from this session. Reload the page and try again.")


def _own_origins(request: Request, site: Site) -> set[str]:
    scheme = urlsplit(site.origin).scheme
    return {site.origin, f"{scheme}://{request.headers.get('host', '')}"}
