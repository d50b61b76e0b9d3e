"""A secret of the vault's KV engine, version 2: read whole, written over exactly the version that was read.

Source: HashiCorp, "KV secrets engine - version 2 (API)", check-and-set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultRefusedError
from connectors.vault.secret_text import SecretText
from playbooks.ports import StepFailedError


@dataclass(frozen=True, slots=True)
class KvSecret:
    """One version of a secret."""

    version: int
    values: Mapping[str, SecretText]

    def value(self, field: str) -> SecretText:
        """Return one value. Raises StepFailedError when there is none."""
        found = self.values.get(field)
        if found is None or not found.reveal():
            raise StepFailedError(f"the secret in the vault has no {field}", retry=False)
        return found


def read(vault: VaultClient, mount: str, path: str) -> KvSecret:
    """Return the latest version. Raises VaultError; a deleted one is VaultRefusedError with status 404."""
    reply = cast("Mapping[str, Any]", vault.request("GET", f"{mount}/data/{path}").get("data") or {})
    metadata = cast("Mapping[str, Any]", reply.get("metadata") or {})
    values = cast("Mapping[str, Any]", reply.get("data") or {})
    kept = {key: SecretText(value) for key, value in values.items() if isinstance(value, str)}
    if len(kept) != len(values):
        raise StepFailedError(
            "the secret in the vault holds more than texts: it is not rewritten", retry=False
        )
    return KvSecret(int(metadata.get("version") or 0), kept)


def write(
    vault: VaultClient, mount: str, path: str, over: KvSecret, changes: Mapping[str, SecretText]
) -> int:
    """Write `over` with `changes` as its next version; return that. Raises VaultError.

    Raises StepFailedError, to look again, when the secret is not `over`'s version any more.
    """
    whole = {key: value.reveal() for key, value in {**over.values, **changes}.items()}
    body = {"options": {"cas": over.version}, "data": whole}
    failure: StepFailedError
    try:
        reply = vault.request("POST", f"{mount}/data/{path}", body)
        return int(cast("Mapping[str, Any]", reply.get("data") or {}).get("version") or over.version + 1)
    except VaultRefusedError as error:
        if error.status not in (400, 412):
            raise
        failure = StepFailedError("the secret in the vault was written by somebody else", retry=True)
    raise failure
