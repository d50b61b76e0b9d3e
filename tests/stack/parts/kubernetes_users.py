"""Who the API server's callers are: its authentication webhook, answered from a table of tokens.

A cluster asks its identity provider the same question (authentication.k8s.io/v1 TokenReview); users can
so be added while the server runs, which a static token file cannot.
"""

from __future__ import annotations

import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import orjson

from daemon.demo.parts.ports import LOOPBACK

_MAX_BYTES: Final = 64 * 1024


class Users:
    """An HTTP server in a thread; knows what `add` gave out."""

    def __init__(self) -> None:
        """Listen on a free port; nothing is answered before `start`."""
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._known: dict[str, dict[str, Any]] = {}
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/tokens"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def add(self, name: str, groups: tuple[str, ...] = ()) -> str:
        """Return a new bearer token of the user `name` in `groups`."""
        token = f"stack-{secrets.token_urlsafe(24)}"
        self._known[token] = {"username": name, "uid": f"uid-{name}", "groups": list(groups)}
        return token

    def review(self, asked: bytes) -> bytes:
        """Return the TokenReview with its answer."""
        review = orjson.loads(asked)
        user = self._known.get(review["spec"]["token"])
        status: dict[str, Any] = {"authenticated": user is not None}
        if user is not None:
            status["user"] = user
        return orjson.dumps({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.review

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = answer(self.rfile.read(min(length, _MAX_BYTES)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: tokens are in the bodies."""

        return Handler
