"""A worker in a process of its own, which ends itself (SIGKILL) at a named place. Not a test: a test's tool.

Arguments: the settings as JSON, the database's URL, the step, the boundary.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from pathlib import Path

from config.settings import Settings
from connectors.rotation.catalogue import handlers
from connectors.rotation.tools import Tools
from connectors.store.actions import ActionStore
from connectors.store.database import Database
from connectors.vault.client import VaultClient
from connectors.vault.secret_text import SecretText
from daemon.roles.respond.worker import Worker
from playbooks.policy import Policy


class Silent:
    """Tells nobody."""

    def dependency(self, name: str, up: bool, detail: str) -> None:
        """Ignore."""

    def finished(self, verb: str, outcome: str, mode: str) -> None:
        """Ignore."""

    def late_call(self) -> None:
        """Ignore."""


def main() -> None:
    path, url, step, boundary = sys.argv[1:5]
    settings = Settings.model_validate_json(Path(path).read_text(encoding="utf-8"))
    vault = VaultClient(settings.vault.address, settings.vault.token.reveal)
    tools = Tools(settings, vault, time.sleep, lambda: SecretText(secrets.token_urlsafe(24)))

    def end_here(at_step: str, at_boundary: str) -> None:
        if (at_step, at_boundary) == (step, boundary):
            os.kill(os.getpid(), signal.SIGKILL)

    worker = Worker(
        name="doomed",
        store=ActionStore(Database(url)),
        handlers=handlers(tools),
        clock=time.time,
        lease_s=12.0,
        backoff=lambda _n: 0.2,
        policy=Policy,
        stopping=lambda: False,
        telemetry=Silent(),
        boundary=end_here,
    )
    while worker.run_once():
        time.sleep(0.05)


if __name__ == "__main__":
    main()
