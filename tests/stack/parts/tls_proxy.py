"""TLS and credentials in front of a node whose core has neither: a small terminating proxy.

It stands for the security of the full distributions, no more: a credential that it does not know is 401,
one that may only write gets 403 wherever it would read or look at templates.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from daemon.demo.parts.ports import LOOPBACK

WRITER_PATHS: Final = ("/_bulk", "/_data_stream/")
_KEPT: Final = frozenset({"content-type", "content-encoding", "accept", "accept-encoding"})
_SHOWN: Final = frozenset({"content-type", "x-elastic-product", "x-opensearch-version"})


class TlsProxy(AbstractContextManager["TlsProxy"]):
    """HTTPS on a free loopback port to `node` (its URL); `rights` is header value -> all or write."""

    def __init__(self, node: str, certificate: Path, key: Path, rights: Mapping[str, str]) -> None:
        self._node = node
        self._rights = rights
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                try:
                    super().handle()
                except (ssl.SSLError, ConnectionError):
                    self.close_connection = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                status, headers, payload = proxy._answer(
                    self.command, self.path, dict(self.headers.items()), body
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(payload)

            do_GET = do_HEAD = do_PUT = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        return Handler

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        right = self._rights.get(
            {name.lower(): text for name, text in headers.items()}.get("authorization", "")
        )
        plain = path.partition("?")[0]
        if right is None:
            return _refused(401)
        if right == "write" and plain != "/" and not plain.startswith(WRITER_PATHS):
            return _refused(403)
        kept = {name: value for name, value in headers.items() if name.lower() in _KEPT}
        found = httpx.request(method, self._node + path, content=body, headers=kept, timeout=30.0)
        shown = {name: value for name, value in found.headers.items() if name.lower() in _SHOWN}
        return found.status_code, shown, found.content


def _refused(status: int) -> tuple[int, dict[str, str], bytes]:
    error = {"type": "security_exception", "reason": "the reason repeats the credential S-bad"}
    return (
        status,
        {"Content-Type": "application/json"},
        json.dumps({"error": error, "status": status}).encode(),
    )
