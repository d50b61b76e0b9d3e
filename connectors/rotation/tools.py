"""What a rotation is given by the process that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText


@dataclass(frozen=True, slots=True)
class Tools:
    """The vault, a sleep that a stop may interrupt, and random passwords for negative controls."""

    settings: Settings
    vault: VaultClient
    sleep: Callable[[float], None]
    random_password: Callable[[], SecretText]
