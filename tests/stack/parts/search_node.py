"""One node of a search engine: a JVM on loopback that keeps its data over stop, kill and start."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, answers, free_ports

HEAP: Final = "-Xmx384m"
_BOOT_S: Final = 120.0
_STOP_S: Final = 20.0


def version_of(pom: Path) -> str:
    """Return the server's version as the pom pins it."""
    found = re.search(r"<server\.version>([^<]+)</", pom.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{pom.name} names no server.version")
    return found[1]


class SearchNode(ABC):
    """What all four nodes share. `settings` are node settings, read at each start."""

    name: str
    version: str

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = dict(settings or {})
        self.http_port, self.transport_port = free_ports(2)
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it answers: plain HTTP, the core has no security."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @abstractmethod
    def fetch(self) -> None:
        """Bring programs into the cache. Raises PartMissingError."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line of the node; the programs are in the cache."""

    def start(self) -> None:
        """Start on the data that is there and wait until the cluster answers. Raises PartFailedError."""
        for name in ("tmp", "config", "data", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        child = Child(self.name, self.command(), self.folder / "node.log", folder=self.folder)
        self._child = child
        child.start()
        child.wait_until(self._ready, _BOOT_S)

    def stop(self) -> None:
        """Ask it to stop, kill it when it does not."""
        if self._child:
            self._child.stop(_STOP_S)
        self._child = None

    def kill(self) -> None:
        """SIGKILL, as a power cut would end it; `start` takes it up again."""
        if self._child:
            self._child.kill()
        self._child = None

    def pids(self) -> list[int]:
        """The process, while it runs."""
        return [self._child.pid] if self._child and self._child.running else []

    def log_tail(self) -> str:
        """The end of the node's log."""
        return self._child.log_tail() if self._child else "it does not run"

    def node_settings(self) -> list[str]:
        """The extra settings as arguments of StackNode."""
        return [f"{name}={value}" for name, value in self.settings.items()]

    def _ready(self) -> bool:
        if not answers(self.http_port):
            return False
        try:
            found = httpx.get(f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5.0)
        except httpx.HTTPError:
            return False
        return found.status_code == 200
