"""Pages and API: where they listen, and who may approve what."""

from __future__ import annotations

from pydantic import Field

from config.response import DataClass
from config.section import Section


class Approver(Section):
    """A person who may approve. `token_sha256` is the hex SHA-256 of a random token of >= 128 bits."""

    name: str = Field(pattern=r"^[A-Za-z0-9._@-]{1,64}$")
    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    classes: tuple[DataClass, ...] = ("public", "internal", "confidential", "restricted", "unknown")
    aliases: tuple[str, ...] = ()


class Web(Section):
    """The web role. It refuses to listen beyond loopback when there are no approvers."""

    host: str = "127.0.0.1"
    port: int = Field(default=8480, ge=0, le=65535)
    base_url: str | None = None
    approvers: tuple[Approver, ...] = ()
    session_hours: float = Field(default=8.0, gt=0, le=24)
    link_minutes: float = Field(default=15.0, gt=0, le=1440)
