"""Leases of the database engine: which there are, one more, one gone. Paths: HashiCorp's `sys/leases`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultRefusedError
from connectors.vault.reply import data_of, names_of, text_of
from connectors.vault.secret_text import SecretText


@dataclass(frozen=True, slots=True)
class DynamicCredentials:
    """A database login that the vault made for us. `lease` is the last segment of its lease id."""

    lease: str
    username: str
    password: SecretText


def leases(vault: VaultClient, mount: str, role: str) -> frozenset[str]:
    """Return the last segments of the lease ids of ``mount/creds/role``. Raises VaultError."""
    try:
        return names_of(vault.request("LIST", f"sys/leases/lookup/{mount}/creds/{role}"))
    except VaultRefusedError as error:
        if error.status != 404:
            raise
    return frozenset()


def revoke(vault: VaultClient, mount: str, role: str, lease: str) -> None:
    """Revoke one lease and wait for the database; a lease that is gone is no error. Raises VaultError."""
    vault.request("PUT", f"sys/leases/revoke/{mount}/creds/{role}/{lease}", {"sync": True})


def issue(vault: VaultClient, mount: str, role: str, token: SecretText) -> DynamicCredentials:
    """Make a database login with `token`; it dies with that token at the latest. Raises VaultError."""
    reply = vault.request("GET", f"{mount}/creds/{role}", token=token)
    data = data_of(reply)
    lease = text_of(cast("dict[str, object]", reply), "lease_id").rpartition("/")[2]
    return DynamicCredentials(lease, text_of(data, "username"), SecretText(text_of(data, "password")))


def short_lived_token(vault: VaultClient, ttl_s: int) -> SecretText:
    """Make a child of our token that dies after `ttl_s` with all that it was given. Raises VaultError.

    A worker that is killed between two calls thus leaves nothing behind for longer.
    """
    body = {"ttl": f"{ttl_s}s", "explicit_max_ttl": f"{ttl_s}s", "renewable": False}
    auth = data_of(vault.request("POST", "auth/token/create", body), "auth")
    return SecretText(text_of(auth, "client_token"))
