"""Tokens by accessor, and whether a token is still let in.

OpenBao and Vault answer 403 to a token that is revoked, expired, unknown, or of a disabled entity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultDeniedError, VaultRefusedError
from connectors.vault.reply import data_of, names_of
from connectors.vault.secret_text import SecretText


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token without its text. `created`: the vault's clock, whole seconds; `path`: where it was made."""

    accessor: str
    path: str
    entity: str
    created: float
    orphan: bool
    type: str
    meta: Mapping[str, str]


def accessors(vault: VaultClient) -> frozenset[str]:
    """Return the accessors of all service tokens; batch tokens have none. Needs sudo. Raises VaultError."""
    return names_of(vault.request("LIST", "auth/token/accessors"))


def look_up(vault: VaultClient, accessor: str) -> TokenInfo | None:
    """Return what the vault knows of a token, None when there is none. Raises VaultError."""
    try:
        reply = vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})
    except VaultRefusedError as error:
        if error.status not in (400, 404):
            raise
        return None
    return _info(data_of(reply))


def look_up_self(vault: VaultClient, token: SecretText | None = None) -> TokenInfo | None:
    """Return what `token` (ours without one) is, None when it is not let in. Raises VaultError."""
    try:
        return _info(data_of(vault.request("GET", "auth/token/lookup-self", token=token)))
    except VaultDeniedError:
        return None


def issued(vault: VaultClient, path: str, meta: Mapping[str, str], limit: int) -> Iterator[TokenInfo]:
    """Yield the service tokens made by a login at `path` whose metadata has all of `meta`.

    Asks once for each accessor that there is. Raises VaultError, VaultRefusedError when there are over
    `limit` accessors: nobody looks through a flood of tokens.
    """
    known = accessors(vault)
    if len(known) > limit:
        raise VaultRefusedError(f"there are {len(known)} tokens, over the limit of {limit}", status=413)
    for accessor in sorted(known):
        found = look_up(vault, accessor)
        if found is not None and found.path == path and meta.items() <= found.meta.items():
            yield found


def revoke(vault: VaultClient, accessor: str) -> None:
    """Revoke a token and its children; one that is gone is no error. Raises VaultError."""
    vault.request("POST", "auth/token/revoke-accessor", {"accessor": accessor})


def _info(data: Mapping[str, Any]) -> TokenInfo:
    meta = data.get("meta") or {}
    pairs = cast("Mapping[str, object]", meta) if isinstance(meta, Mapping) else {}
    created = data.get("creation_time")
    return TokenInfo(
        accessor=str(data.get("accessor") or ""),
        path=str(data.get("path") or ""),
        entity=str(data.get("entity_id") or ""),
        created=float(created) if isinstance(created, int | float) else 0.0,
        orphan=bool(data.get("orphan")),
        type=str(data.get("type") or "service"),
        meta={str(key): str(value) for key, value in pairs.items()},
    )
