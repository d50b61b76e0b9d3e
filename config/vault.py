"""Vault or OpenBao: address, login, and the transit key of the probe escrow."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from config.secret import Secret
from config.section import Section


class Vault(Section):
    """How respond reaches the vault. The token is the only login of this release."""

    address: str = "http://127.0.0.1:8200"
    token: Secret = Secret()
    ca_file: Path | None = None
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    escrow_mount: str = "transit"
    escrow_key: str = "davylamp-escrow"
