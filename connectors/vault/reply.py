"""Parts of an answer of the vault's API, or the error that it lacks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from connectors.vault.error import VaultRefusedError


def data_of(reply: Mapping[str, Any], part: str = "data") -> Mapping[str, Any]:
    """Return the answer's `part` (``data``, ``auth``). Raises VaultRefusedError."""
    data = reply.get(part)
    if not isinstance(data, Mapping):
        raise VaultRefusedError(f"the vault's answer has no {part}", status=200)
    return cast("Mapping[str, Any]", data)


def text_of(data: Mapping[str, Any], key: str) -> str:
    """Return a text that must be there. Raises VaultRefusedError."""
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise VaultRefusedError(f"the vault's answer has no {key}", status=200)
    return value


def names_of(reply: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of a LIST. Raises VaultRefusedError."""
    keys = data_of(reply).get("keys")
    return (
        frozenset(str(key) for key in cast("list[object]", keys)) if isinstance(keys, list) else frozenset()
    )
