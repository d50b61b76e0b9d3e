"""Apache Kafka: one broker in KRaft mode, which keeps its data when it is stopped or killed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from parts.cache import cached
from parts.java import QUICK_START, fetch_jars, java_home

from daemon.demo.error import PartFailedError
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, answers, free_ports

SOURCES: Final = Path(__file__).resolve().parent.parent / "kafka"
POM: Final = SOURCES / "pom.xml"
CLUSTER_ID: Final = "AAAAAAAAAAAAAAAAAAAAAQ"
JDK: Final = 17
_READY_S: Final = 60.0
_STOP_S: Final = 20.0
_FORMAT_S: Final = 60.0
_HEAP: Final = "-Xmx320m"


def pom_version() -> str:
    """Return the version of the broker's jar in the pom."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>", POM.read_text())
    if found is None:
        raise ValueError(f"{POM.name} names no kafka_2.13")
    return found[1]


class KafkaPart:
    """A broker that is its own controller. Ports stay the same over stops, so that clients find it again.

    Short sessions with the controller: after SIGKILL the next start waits for the dead one's session
    (measured: 14 s with the default of 9 s, 7-8 s with 2 s).
    """

    name: str = "Apache Kafka"

    def __init__(self, folder: Path) -> None:
        """Prepare a broker with its log in `folder`. Nothing is fetched or started.

        Its data lies beside `folder`: a partition's segments are called `.log` as well.
        """
        self.version = pom_version()
        self.folder = folder
        self._data = folder.with_name(f"{folder.name}-data")
        self.port, self._controller_port = free_ports(2)
        self.brokers = f"{LOOPBACK}:{self.port}"
        self._jars: Path | None = None
        self._child: Child | None = None

    def fetch(self) -> None:
        """Bring the jars into the cache. Raises PartMissingError."""
        java_home(JDK)
        self._jars = cached("kafka", [POM], lambda into: fetch_jars(POM, into))

    def start(self) -> None:
        """Format the data folder once, start, wait until connections are accepted. Raises PartFailedError."""
        if self._child is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._properties_file().write_text(
                "".join(f"{key}={value}\n" for key, value in self.properties().items()), encoding="utf-8"
            )
            self._format()
            self._child = Child(
                name=self.name, command=self._command("kafka.Kafka"), log=self.folder / "kafka.log"
            )
        self._child.start()
        self._child.wait_until(self.answers, _READY_S)

    def stop(self) -> None:
        """Stop the broker, kill it when it does not; its data stays."""
        if self._child is not None:
            self._child.stop(_STOP_S)

    def kill(self) -> None:
        """End the broker at once (SIGKILL), as a crash does; its data stays."""
        if self._child is not None:
            self._child.kill()

    def pids(self) -> list[int]:
        """The broker's process, if it runs."""
        return [self._child.pid] if self._child is not None and self._child.running else []

    def answers(self) -> bool:
        """Return whether the broker accepts connections."""
        return answers(self.port)

    def properties(self) -> dict[str, str]:
        """Return server.properties: small internal topics, groups that form at once."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.brokers},{self.controller_listener()}",
            "advertised.listeners": f"PLAINTEXT://{self.brokers}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self._data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
        }

    def controller_listener(self) -> str:
        """Return the listener that the controller's own traffic goes over."""
        return f"CONTROLLER://{LOOPBACK}:{self._controller_port}"

    def format_arguments(self) -> tuple[str, ...]:
        """Return further arguments of the one formatting."""
        return ()

    def _format(self) -> None:
        """Format the data folder, as every new KRaft broker needs it. Raises PartFailedError."""
        storage = ("format", "-t", CLUSTER_ID, "-c", str(self._properties_file()), *self.format_arguments())
        done = subprocess.run(
            (*self._java(), "kafka.tools.StorageTool", *storage),
            capture_output=True,
            text=True,
            timeout=_FORMAT_S,
            check=False,
        )
        if done.returncode:
            raise PartFailedError(f"{self.name} cannot be formatted: {(done.stdout + done.stderr)[-2000:]}")

    def _command(self, main: str) -> tuple[str, ...]:
        return (*self._java(), main, str(self._properties_file()))

    def _java(self) -> tuple[str, ...]:
        if self._jars is None:
            self.fetch()
        logging = f"-Dlog4j2.configurationFile={SOURCES / 'log4j2.properties'}"
        program = str(java_home(JDK) / "bin" / "java")
        return (program, _HEAP, *QUICK_START, logging, "-cp", f"{self._jars}/*")

    def _properties_file(self) -> Path:
        return self.folder / "server.properties"
