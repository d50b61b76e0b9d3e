"""What a rotation is given by the process that runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from playbooks.ports import Clock, ConsumerWatch


@dataclass(frozen=True, slots=True)
class Tools:
    """The vault, a sleep that a stop may interrupt, and random passwords for negative controls.

    `consumers` knows who uses a target; without it a rotation knows only what the service itself shows.
    `sleep` and `monotonic` (seconds) are one clock: what is slept has passed.
    """

    settings: Settings
    vault: VaultClient
    sleep: Callable[[float], None]
    random_password: Callable[[], SecretText]
    consumers: ConsumerWatch | None = None
    monotonic: Clock = time.monotonic
