"""The parts of a request's target as `url.*`: path, query, extension; domain and port of its authority."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from connectors.sources.istio_mesh import hostname


def parts(target: str) -> dict[str, Any]:
    """Return original, path, query and extension of an origin-form target (`/a/b.json?c=d`)."""
    url: dict[str, Any] = {"original": target}
    path, _, query = target.partition("?")
    path = path.partition("#")[0]
    if path:
        url["path"] = path
        extension = path.rpartition("/")[2].rpartition(".")
        if extension[0] and extension[2].isalnum() and len(extension[2]) <= 16:
            url["extension"] = extension[2]
    if query:
        url["query"] = query
    return url


def host_and_port(authority: Any) -> dict[str, Any]:
    """Return domain and port of an authority (`host`, `host:port`); a new object, {} where there is none."""
    if not isinstance(authority, str) or not authority or len(authority) > 1024:
        return {}
    return dict(_host_and_port(authority))


@lru_cache(maxsize=4096)
def _host_and_port(authority: str) -> dict[str, Any]:
    host = hostname(authority)
    if not host:
        return {}
    found: dict[str, Any] = {"domain": host[:1024]}
    port = authority.rpartition(":")[2]
    if port != authority and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536:
        found["port"] = int(port[:6])
    return found
