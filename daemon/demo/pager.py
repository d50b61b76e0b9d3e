"""The pager of the person on call: a loopback endpoint that takes Davylamp's webhooks and remembers them."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from daemon.demo.parts.ports import LOOPBACK

_MAX_BODY_BYTES: Final = 256 * 1024


class Pager:
    """Listens from `start()` to `stop()`. `pages` are key -> message; `rings` counts every call."""

    def __init__(self) -> None:
        self.bearer = secrets.token_urlsafe(24)
        self.pages: dict[str, dict[str, Any]] = {}
        self.rings = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}/page"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def ring(self, key: str, message: dict[str, Any]) -> None:
        """Take one page; the same key twice is the same page."""
        with self._lock:
            self.rings += 1
            self.pages.setdefault(key, message)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                given = self.headers.get("Authorization", "")
                length = int(self.headers.get("Content-Length") or 0)
                if not hmac.compare_digest(given.encode(), f"Bearer {pager.bearer}".encode()):
                    self.send_error(401)
                elif length > _MAX_BODY_BYTES:
                    self.send_error(413)
                else:
                    pager.ring(self.headers.get("Idempotency-Key", ""), json.loads(self.rfile.read(length)))
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler
