"""A worker for containments in a process of its own, which ends itself (SIGKILL) at a named place.

Arguments: the settings as JSON, the database's URL, the step, the boundary, seconds that its clock is ahead.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from config.settings import Settings
from connectors.containment.catalogue import containments, needs_of
from connectors.containment.tools import Tools
from connectors.store.actions import ActionStore
from connectors.store.database import Database
from daemon.roles.respond.policy import policy_of
from daemon.roles.respond.worker import Worker


class Silent:
    """Tells nobody."""

    def dependency(self, name: str, up: bool, detail: str) -> None:
        """Ignore."""

    def finished(self, verb: str, outcome: str, mode: str) -> None:
        """Ignore."""

    def late_call(self) -> None:
        """Ignore."""


def worker(
    settings: Settings, tools: Tools, database: Database, name: str = "worker", ahead_s: float = 0.0
) -> Worker:
    """Return a worker over the real containments, whose clock is `ahead_s` ahead."""
    policy = policy_of(settings)
    return Worker(
        name=name,
        store=ActionStore(database),
        handlers=containments(tools),
        clock=lambda: time.time() + ahead_s,
        lease_s=12.0,
        backoff=lambda n: 0.1 * n,
        policy=lambda: policy,
        stopping=lambda: False,
        telemetry=Silent(),
    )


def main() -> None:
    path, url, step, boundary, ahead = sys.argv[1:6]
    settings = Settings.model_validate_json(Path(path).read_text(encoding="utf-8"))
    doomed = worker(settings, needs_of(settings), Database(url), "doomed", float(ahead))

    def end_here(at_step: str, at_boundary: str) -> None:
        if (at_step, at_boundary) == (step, boundary):
            os.kill(os.getpid(), signal.SIGKILL)

    doomed.boundary = end_here
    while doomed.run_once():
        time.sleep(0.02)


if __name__ == "__main__":
    main()
