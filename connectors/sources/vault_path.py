"""What a Vault path names: the credential that it hands out, or a token that must not be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.ecs.redaction import MASK, redact_text
from connectors.sources.untrusted import text_at

_CREDENTIALS: Final = ("static-creds/", "creds/")
_KEPT: Final = 1024
"""Texts up to this length are kept in caches, so that a caller cannot fill the memory with them."""
_SYSTEM_MOUNTS: Final = frozenset(
    {"system", "identity", "cubbyhole", "token", "ns_system", "ns_identity", "ns_cubbyhole", "ns_token"}
)
_SYSTEM_PATHS: Final = ("sys/", "auth/", "identity/")
_TOKEN: Final = re.compile(r"(auth/token/(?:lookup|renew|revoke|revoke-orphan)/).+", re.DOTALL)


def credential(fields: Mapping[str, Any]) -> str | None:
    """Return `ENGINE:MOUNT/ROLE` when the path hands out a credential of a role, else None.

    The engine is `database` unless the entry names another; a vault namespace stands before the mount.
    """
    request = fields.get("request")
    path = request.get("path") if isinstance(request, dict) else None
    if not isinstance(path, str) or "creds/" not in path:
        return None
    mount = text_at(request, "mount_point") or ""
    engine = text_at(request, "mount_type") or "database"
    scope = _scope(request)
    if len(path) + len(mount) + len(engine) + len(scope) > _KEPT:
        return _credential(path, mount, engine, scope)
    return _known_credential(path, mount, engine, scope)


def _credential(path: str, mount: str, engine: str, scope: str) -> str | None:
    mount = mount.strip("/")
    if mount and path.startswith(mount + "/"):
        rest = path[len(mount) + 1 :]
    else:
        mount, slash, rest = path.partition("/")
        if not slash:
            return None
    for prefix in _CREDENTIALS:
        role = rest.removeprefix(prefix)
        if role != rest and role and "/" not in role:
            return f"{engine}:{scope}{mount}/{role}"
    return None


_known_credential: Final = lru_cache(maxsize=4096)(_credential)


def secret(request: Mapping[str, Any]) -> str | None:
    """Return the path with the vault namespace before it, without a token, or None."""
    path = request.get("path")
    return _scope(request) + shown(path) if isinstance(path, str) and path else None


def shown(path: str) -> str:
    """Return `path` without tokens: by their shape (`hvs.`, `s.`, `hvb.`, `b.`), or where a path takes any.

    A token may have been given an id of anybody's choice, which no shape tells.
    """
    return _known_shown(path) if len(path) <= _KEPT else _shown(path)


def _shown(path: str) -> str:
    return redact_text(_TOKEN.sub(rf"\1{MASK}", path) if "auth/token/" in path else path)


_known_shown: Final = lru_cache(maxsize=4096)(_shown)


def is_secret_mount(request: Mapping[str, Any]) -> bool:
    """Return whether the path is behind a secrets engine, not one of Vault's own."""
    kind, path = request.get("mount_type"), request.get("path")
    if isinstance(kind, str) and kind in _SYSTEM_MOUNTS:
        return False
    return not (isinstance(path, str) and path.startswith(_SYSTEM_PATHS))


def _scope(request: Any) -> str:
    namespace = request.get("namespace") if isinstance(request, dict) else None
    scope = namespace.get("path") if isinstance(namespace, dict) else None
    return f"{scope.strip('/')}/" if isinstance(scope, str) and scope.strip("/") else ""
