"""Whether our token may do what a rotation declares, asked before anything is done.

``sys/capabilities-self`` is part of the vault's `default` policy and of the policy that the catalogue prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from connectors.vault.client import VaultClient

_STANZA: Final = re.compile(r'^path "(?P<path>[^"]+)" \{ capabilities = \[(?P<list>[^\]]*)\] \}$')
_MAX_PATHS: Final = 64


class Right(NamedTuple):
    """One path and what must be allowed on it, as a policy's stanza says."""

    path: str
    capabilities: tuple[str, ...]


def right(stanza: str) -> Right:
    """Read one line of a policy: ``path "x" { capabilities = ["read"] }``. Raises ValueError."""
    found = _STANZA.match(stanza)
    if found is None:
        raise ValueError(f"not a stanza of a policy: {stanza[:80]!r}")
    listed = (item.strip().strip('"') for item in found["list"].split(","))
    return Right(found["path"], tuple(item for item in listed if item))


def missing(vault: VaultClient, wanted: Iterable[Right]) -> Sequence[str]:
    """Return what our token lacks, as ``update on database/rotate-role/x``. Raises VaultError."""
    rights = list(wanted)
    lacking: list[str] = []
    for start in range(0, len(rights), _MAX_PATHS):
        part = rights[start : start + _MAX_PATHS]
        reply = vault.request("POST", "sys/capabilities-self", {"paths": [item.path for item in part]})
        lacking += [text for item in part for text in _lacking(item, _held(reply, item.path))]
    return lacking


def _held(reply: Mapping[str, Any], path: str) -> frozenset[str]:
    data = reply.get("data")
    found = cast("Mapping[str, object]", data).get(path) if isinstance(data, Mapping) else None
    return (
        frozenset(str(item) for item in cast("list[object]", found))
        if isinstance(found, list)
        else frozenset()
    )


def _lacking(wanted: Right, held: frozenset[str]) -> Sequence[str]:
    if "root" in held:
        return ()
    return [f"{name} on {wanted.path}" for name in wanted.capabilities if name not in held]
