"""What a request's path asks for, by the rules of the API server (apiserver `request.RequestInfo`)."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

_PARTS_LIMIT: Final = 12
_OF_NAMESPACES: Final = frozenset({"status", "finalize"})
_FORMER_PREFIXES: Final = frozenset({"watch", "proxy"})


def requested(uri: str) -> dict[str, str]:
    """Return the object reference of a request's URI, empty for a non-resource path.

    `/api/VERSION/` or `/apis/GROUP/VERSION/`, then `namespaces/NAMESPACE/`, resource, name, subresource.
    """
    path = unquote(uri.partition("?")[0])
    parts = [part for part in path.split("/", _PARTS_LIMIT) if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        found, rest = {"apiVersion": parts[1]}, parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        found, rest = {"apiGroup": parts[1], "apiVersion": parts[2]}, parts[3:]
    else:
        return {}
    if rest[0] in _FORMER_PREFIXES and len(rest) > 1:
        rest = rest[1:]
    if rest[0] == "namespaces" and len(rest) > 1:
        found["namespace"] = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
            rest = rest[2:]
    return found | dict(zip(("resource", "name", "subresource"), rest, strict=False))
