"""The daemon as a user starts it: one child `davylamp run`, asked about itself over its health ports."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import httpx

from config.settings import ROLES, Role, Settings
from daemon.demo.error import PartFailedError, SceneError
from daemon.demo.parts.child import Child

_READY_S: Final = 120.0
_POLL_S: Final = 0.1


class DaemonChild:
    """`python -m daemon run --config FILE`, which starts the five roles as its own children."""

    def __init__(self, config: Path, settings: Settings) -> None:
        self._settings = settings
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DAVYLAMP_")}
        self._child = Child(
            name="davylamp run",
            command=(sys.executable, "-m", "daemon", "run", "--config", str(config)),
            log=config.parent / "davylamp.log",
            environment=environment,
            death_signal=signal.SIGTERM,
        )

    @property
    def pid(self) -> int:
        """The supervisor's pid."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the supervisor runs."""
        return self._child.running

    def start(self) -> None:
        """Start the daemon; it is not ready yet."""
        self._child.start()

    def stop(self) -> None:
        """Stop the daemon and its roles."""
        self._child.stop(self._settings.operation.stop_timeout_s + 5)

    def wait_ready(self) -> None:
        """Wait until every role is ready. Raises PartFailedError with what is still missing."""
        give_up = time.monotonic() + _READY_S
        while waiting := self._waiting():
            if not self.running:
                raise PartFailedError(f"davylamp run ended: {self._child.log_tail()}")
            if time.monotonic() > give_up:
                raise PartFailedError(f"not ready after {_READY_S:g} s: {self._why(waiting)}")
            time.sleep(_POLL_S)

    def status(self, role: Role) -> dict[str, Any]:
        """Return what a role says about itself. Raises SceneError when it does not answer."""
        try:
            return self._get(role, "status").json()
        except (httpx.HTTPError, ValueError) as error:
            raise SceneError(f"role {role} does not say its status: {type(error).__name__}") from None

    def role_pid(self, role: Role) -> int:
        """Return the pid of a role. Raises SceneError."""
        return int(self.status(role)["pid"])

    def _waiting(self) -> list[Role]:
        return [role for role in ROLES if not self._ready(role)]

    def _ready(self, role: Role) -> bool:
        try:
            return self._get(role, "readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def _why(self, waiting: list[Role]) -> str:
        return ", ".join(self._lacks(role) for role in waiting)

    def _lacks(self, role: Role) -> str:
        try:
            answer = self._get(role, "readyz").json()
        except (httpx.HTTPError, ValueError):
            return f"{role} (does not answer)"
        away = [name for name, seen in answer.get("dependencies", {}).items() if not seen.get("up")]
        return f"{role} ({', '.join(away) or 'not started'})"

    def _get(self, role: Role, page: str) -> httpx.Response:
        operation = self._settings.operation
        url = f"http://{operation.health_host}:{operation.health_ports[role]}/{page}"
        return httpx.get(url, timeout=1.0, trust_env=False)
