"""One role as an operator runs it, `davylamp run ROLE --config FILE`, asked over its health port."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from config.settings import Role
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import free_port

_STOP_S: Final = 15.0
_ASK_S: Final = 2.0
_LOOK_S: Final = 0.05


class RoleChild:
    """A role's process. `document` is the configuration file without the health port."""

    def __init__(
        self,
        role: Role,
        document: Mapping[str, Any],
        folder: Path,
        program: Sequence[str] = ("-m", "daemon"),
    ) -> None:
        """Write the configuration to `folder`. Nothing is started. `program` is what Python runs."""
        folder.mkdir(parents=True, exist_ok=True)
        self.role: Role = role
        self._port = free_port()
        config = folder / "davylamp.yaml"
        operation = {**document.get("operation", {}), "health_ports": {role: self._port}}
        config.write_text(yaml.safe_dump({**document, "operation": operation}), encoding="utf-8")
        self._child = Child(
            name=f"davylamp run {role}",
            command=(sys.executable, *program, "run", role, "--config", str(config)),
            log=folder / "role.log",
            environment={k: v for k, v in os.environ.items() if not k.startswith("DAVYLAMP_")},
        )

    def start(self) -> RoleChild:
        """Start it; it is not ready yet."""
        self._child.start()
        return self

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._child.kill()

    def stop(self) -> None:
        """Stop it as an operator does (SIGTERM)."""
        self._child.stop(_STOP_S)

    def freeze(self) -> None:
        """Hold it where it is (SIGSTOP) until `thaw`."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self._child.pid, signal.SIGCONT)

    def limit_files(self, most: int | None) -> None:
        """Let no file of it grow beyond `most` bytes: writes fail (EFBIG); None: without limit again."""
        hard = resource.prlimit(self._child.pid, resource.RLIMIT_FSIZE)[1]
        soft = hard if most is None else most
        resource.prlimit(self._child.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def keep(self) -> None:
        """Start it again if it has ended, as the supervisor and Kubernetes do."""
        if not self._child.running:
            self._child.start()

    def log(self) -> str:
        """Return the end of its log."""
        return self._child.log_tail()

    def status(self) -> dict[str, Any]:
        """Return `/status`, empty while it does not answer."""
        return self._get("status")

    def readiness(self) -> dict[str, Any]:
        """Return `/readyz`, empty while it does not answer."""
        return self._get("readyz")

    def detail(self, dependency: str = "kafka") -> str:
        """Return what the role says about an outside system."""
        return self.readiness().get("dependencies", {}).get(dependency, {}).get("detail", "")

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until the role is ready. Raises AssertionError with the end of its log."""
        self.wait_for(lambda: bool(self.readiness().get("ready")), timeout_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until `condition()`. Raises AssertionError with what the role says and the end of its log."""
        give_up = time.monotonic() + timeout_s
        while not condition():
            assert self._child.running, f"{self.role} ended: {self.log()}"
            assert time.monotonic() < give_up, f"{self.role}: {self.readiness()}: {self.log()}"
            time.sleep(_LOOK_S)

    def _get(self, page: str) -> dict[str, Any]:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/{page}", timeout=_ASK_S, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return {}
