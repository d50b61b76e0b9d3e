"""A KV v2 secret that says which of two halves consumers use. Written with check-and-set only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from connectors.vault.client import VaultClient
from connectors.vault.reply import data_of, text_of


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands there. `fields` may hold other things, too: they are written back unchanged."""

    version: int
    fields: Mapping[str, object]


def read(vault: VaultClient, mount: str, path: str) -> Pointer:
    """Return the secret with its version. Raises VaultError."""
    data = data_of(vault.request("GET", f"{mount}/data/{path}"))
    metadata = cast("Mapping[str, Any]", data.get("metadata") or {})
    return Pointer(int(metadata.get("version", 0)), data_of(data))


def switch(vault: VaultClient, mount: str, path: str, seen: Pointer, field: str, value: str) -> None:
    """Set one field, if the secret still is the version `seen`. Raises VaultRefusedError otherwise."""
    body = {"options": {"cas": seen.version}, "data": {**seen.fields, field: value}}
    vault.request("POST", f"{mount}/data/{path}", body)


def value(seen: Pointer, field: str) -> str:
    """Return a field's text. Raises VaultRefusedError when there is none."""
    return text_of(cast("Mapping[str, Any]", seen.fields), field)
