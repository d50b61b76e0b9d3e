"""`tls.*` of a connection as its client made it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from connectors.ecs.head import many


@lru_cache(maxsize=2048)
def tls_fields(
    version: str | None, cipher: str | None, server_name: str | None, names: str | None = None
) -> dict[str, Any]:
    """Return version (of `TLSv1.3`), cipher, the name the client asked for, the names of its certificate.

    `names` are separated by commas. The object is shared: read it, copy it before a change.
    """
    found: dict[str, Any] = {}
    if version and version[:4].lower() == "tlsv" and 4 < len(version) < 16:
        found["version"], found["version_protocol"] = version[4:], "tls"
    if cipher:
        found["cipher"] = cipher
    client: dict[str, Any] = {"server_name": server_name} if server_name else {}
    if names:
        client["x509"] = {"alternative_names": many(names.split(","))}
    if client:
        found["client"] = client
    return found
