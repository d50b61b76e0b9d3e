"""The workers of one chain: detect and correlate `count` times each, and one forward to files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from kafka.role_child import RoleChild
from kafka.stage import Stage

from config.settings import Role

FOLDER: Final = "siem"
FORWARDING: Final = {"namespace": "default", "targets": [{"kind": "file", "name": "file", "folder": FOLDER}]}
CLOCKED: Final = Path(__file__).with_name("shifted_clock.py")
_TOGETHER_S: Final = 120.0


class Workers:
    """Children that are started again when they end, as the supervisor and Kubernetes do."""

    def __init__(self, stage: Stage, count: int, *, clocked: bool = False) -> None:
        """Nothing is started. `clocked`: their wall clock can be set wrong by `shift`."""
        self._stage = stage
        self._made = 0
        self._clock = stage.folder / "clock"
        self._clock.write_text("0", encoding="ascii")
        self._program = (str(CLOCKED), str(self._clock)) if clocked else ("-m", "daemon")
        self.detect = [self._new("detect") for _ in range(count)]
        self.correlate = [self._new("correlate") for _ in range(count)]
        self.forward = self._new("forward", forwarding=FORWARDING)

    def all(self) -> list[RoleChild]:
        """Return every worker."""
        return [*self.detect, *self.correlate, self.forward]

    def first_of_each(self) -> list[RoleChild]:
        """Return one worker of each role."""
        return [self.detect[0], self.correlate[0], self.forward]

    def start(self) -> None:
        """Start all that do not run, and wait until all are ready."""
        for worker in self.all():
            worker.keep()
        for worker in self.all():
            worker.wait_ready(_TOGETHER_S)

    def stop(self, *roles: Role) -> None:
        """Stop the workers of these roles as an operator does, all when none is named."""
        for worker in self.all():
            if not roles or worker.role in roles:
                worker.stop()

    def keep(self) -> None:
        """Start again what has ended."""
        for worker in self.all():
            worker.keep()

    def guests(self) -> list[RoleChild]:
        """Return one more detect and one more correlate, not started."""
        return [self._new("detect"), self._new("correlate")]

    def shift(self, seconds: float) -> None:
        """Set the workers' wall clock wrong by `seconds`."""
        self._clock.write_text(str(seconds), encoding="ascii")
        time.sleep(1.0)

    def violations(self) -> list[str]:
        """Return the laws that the workers themselves say are broken."""
        return [text for worker in self.all() for text in worker.status().get("violations", [])]

    def logs(self) -> str:
        """Return the ends of the logs."""
        return "\n".join(f"-- {worker.role}\n{worker.log()}" for worker in self.all())

    def _new(self, role: Role, **changes: Any) -> RoleChild:
        self._made += 1
        return self._stage.role(role, f"{role}-{self._made}", program=self._program, **changes)
