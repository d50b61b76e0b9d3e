"""The vault's answers as typed values. Times are the vault's clock, seconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.vault.secret_text import SecretText


@dataclass(frozen=True, slots=True)
class VaultHealth:
    """What `sys/health` says. `server_time` has whole seconds only."""

    sealed: bool
    standby: bool
    server_time: float
    version: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a static role was last rotated. `mark` is the vault's text: equal marks are one rotation."""

    mark: str
    at: float


@dataclass(frozen=True, slots=True)
class StaticRole:
    """A static role without its password."""

    username: str
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """What `static-creds` serves now."""

    username: str
    password: SecretText
    rotation: Rotation


@dataclass(frozen=True, slots=True)
class Identity:
    """Who our own token is; `entity` is empty for a token without one (root)."""

    entity: str
    accessor: str
    display_name: str


def rotation(text: str) -> Rotation:
    """Return the rotation of a `last_vault_rotation` text (RFC 3339 with up to nine digits).

    Raises ValueError. `ttl` is never used: it resets although nothing rotated (vault PR #31937).
    """
    return Rotation(text, datetime.fromisoformat(text).timestamp())
