"""Entities: the brake. A disabled entity's tokens, batch tokens too, are refused until it is enabled."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultRefusedError
from connectors.vault.reply import data_of


@dataclass(frozen=True, slots=True)
class Entity:
    """An identity of the vault."""

    id: str
    name: str
    disabled: bool


def read(vault: VaultClient, entity: str) -> Entity | None:
    """Return an entity, None when there is none. Raises VaultError."""
    try:
        data = data_of(vault.request("GET", f"identity/entity/id/{entity}"))
    except VaultRefusedError as error:
        if error.status != 404:
            raise
        return None
    return Entity(entity, str(data.get("name") or "")[:128], bool(data.get("disabled")))


def disable(vault: VaultClient, entity: str, disabled: bool) -> None:
    """Disable an entity or enable it again; its other fields stay. Raises VaultError."""
    vault.request("POST", f"identity/entity/id/{entity}", {"disabled": disabled})
