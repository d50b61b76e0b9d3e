"""Receiver of the API server's audit webhook: its batches go on as they came, one record each.

The server posts `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[...]}`; a batch is answered
with 200 only after every sink took it, so that the server sends it again otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

import orjson
from parts.audit_webhook_kafka import NotConfirmedError

from daemon.demo.parts.ports import LOOPBACK

Sink: TypeAlias = Callable[[bytes], None]
"""Takes one batch; raises NotConfirmedError when it could not."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024


class AuditWebhook:
    """An HTTP server in a thread. What arrives while no sink is attached is dropped and counted."""

    def __init__(self) -> None:
        """Listen on a free port; nothing is answered before `start`."""
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._sinks: tuple[Sink, ...] = ()
        self._changing = threading.Lock()
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/audit"
        self.batches = 0
        self.refused = 0
        self.dropped = 0

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    @contextmanager
    def into(self, sink: Sink) -> Iterator[None]:
        """Give every batch that arrives inside to `sink` too."""
        with self._changing:
            self._sinks = (*self._sinks, sink)
        try:
            yield
        finally:
            with self._changing:
                self._sinks = tuple(each for each in self._sinks if each is not sink)

    def take(self, batch: bytes) -> int:
        """Give the batch to the sinks; return the status to answer with."""
        sinks = self._sinks
        try:
            for sink in sinks:
                sink(batch)
        except NotConfirmedError:
            with self._changing:
                self.refused += 1
            return 503
        with self._changing:
            self.batches += 1
            self.dropped += not sinks
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self.take

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status = take(self.rfile.read(length)) if 0 < length <= MAX_BATCH_BYTES else 413
                self.close_connection = status == 413
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the counters tell."""

        return Handler


class Collected:
    """A sink that keeps batches as they came."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []

    def __call__(self, batch: bytes) -> None:
        """Keep one batch."""
        self.batches.append(batch)

    def events(self) -> list[dict[str, Any]]:
        """Return all events so far, decoded, in the order of arrival."""
        return [item for batch in list(self.batches) for item in orjson.loads(batch)["items"]]

    def wait(
        self, wanted: Callable[[dict[str, Any]], bool], count: int = 1, timeout_s: float = 15.0
    ) -> list[dict[str, Any]]:
        """Return the events that are `wanted` once there are `count`. Raises TimeoutError."""
        give_up = time.monotonic() + timeout_s
        while len(found := [event for event in self.events() if wanted(event)]) < count:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{len(found)} of {count} audit events after {timeout_s:g} s")
            time.sleep(0.05)
        return found
