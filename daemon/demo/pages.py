"""The daemon's pages: their address, and one-time links for the approvers."""

from __future__ import annotations

from typing import Any, Final, cast

import httpx

from config.settings import Settings
from daemon.demo.daemon_child import DaemonChild
from daemon.demo.error import SceneError

_CALL_S: Final = 5.0


def address(daemon: DaemonChild, settings: Settings) -> str:
    """Return where the pages are; the role says it, else the configuration does."""
    said = daemon.status("web").get("url")
    if isinstance(said, str) and said.startswith("http"):
        return said.rstrip("/")
    return f"http://{settings.web.host}:{settings.web.port}"


def one_time_link(pages: str, token: str) -> str:
    """Return a one-time link for the approver of `token`. Raises SceneError."""
    try:
        reply = httpx.post(
            f"{pages}/api/session-links",
            headers={"Authorization": f"Bearer {token}"},
            json={},
            timeout=_CALL_S,
            trust_env=False,
        )
        if reply.status_code >= 400:
            raise SceneError(f"no one-time link: HTTP {reply.status_code}")
        answer = cast("dict[str, Any]", reply.json())
        return str(answer["url"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise SceneError(f"no one-time link: {type(error).__name__}") from None
