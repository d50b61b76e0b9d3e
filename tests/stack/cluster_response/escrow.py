"""A real vault for escrow and KV, and settings with a token that has exactly the declared policy."""

from __future__ import annotations

import secrets
import time
from typing import Any

from pydantic import SecretStr

from config.response import Response, Target
from config.secret import Secret
from config.settings import Settings
from config.vault import Vault
from connectors.rotation.catalogue import policy
from connectors.rotation.tools import Tools
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.demo.parts.openbao import OpenBaoPart


def settings_for(vault: OpenBaoPart, *targets: Target, without: str = "") -> Settings:
    """Return settings with a token of exactly the declared policy, less the lines with `without` in them."""
    text = policy(Settings(response=Response(targets=targets)))
    kept = [line for line in text.splitlines() if not without or without not in line]
    name = "davylamp-" + secrets.token_hex(4)
    vault.call("PUT", f"sys/policies/acl/{name}", {"policy": "\n".join(kept)})
    asked = {"policies": [name], "no_default_policy": True}
    made: Any = vault.call("POST", "auth/token/create-orphan", asked)
    token = Secret(value=SecretStr(made["auth"]["client_token"]))
    return Settings(
        vault=Vault(address=vault.address, token=token, timeout_s=5), response=Response(targets=targets)
    )


def tools_for(settings: Settings) -> Tools:
    """Return what a handler is given."""
    return Tools(
        settings=settings,
        vault=VaultClient(settings.vault.address, settings.vault.token.reveal),
        sleep=time.sleep,
        random_password=lambda: SecretText(secrets.token_urlsafe(24)),
    )
