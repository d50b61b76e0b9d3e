"""A provider of API keys as `kv_http_key` describes it: a double, with planned faults."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import orjson

from daemon.demo.parts.ports import LOOPBACK

Fault = Literal["503_after", "cut_after", "503_before", "429", "garbage_after"]
ADMIN = "provider-admin-bearer"


class KeyProvider:
    """Keys by id. `honours_intent`: one key an Idempotency-Key. `slow_to_kill`: probes that still pass."""

    def __init__(self, *, honours_intent: bool = True) -> None:
        self.honours_intent = honours_intent
        self.keys: dict[str, dict[str, Any]] = {}
        self.made = 0
        self.faults: dict[str, Fault] = {}
        self.slow_to_kill = 0
        self._intents: dict[str, str] = {}
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def create(self, intent: str) -> dict[str, Any]:
        """Make a key, or return the one that this intent made."""
        known = self._intents.get(intent) if self.honours_intent else None
        if known in self.keys:
            return self.keys[known]
        self.made += 1
        made = {
            "id": f"key-{secrets.token_hex(4)}",
            "secret": secrets.token_urlsafe(24),
            "active": True,
            "created_at": datetime.now(UTC).isoformat(),
            "last_used_at": None,
        }
        self.keys[made["id"]] = made
        self._intents[intent] = made["id"]
        return made

    def admits(self, bearer: str) -> bool:
        """Return whether a key's bearer is let in."""
        found = next((key for key in self.keys.values() if key["secret"] == bearer), None)
        if found is not None and found["active"]:
            found["last_used_at"] = datetime.now(UTC).isoformat()
            return True
        if found is not None and self.slow_to_kill > 0:
            self.slow_to_kill -= 1
            return True
        return False

    def serve(self, method: str, path: str, bearer: str, intent: str, body: Any) -> tuple[int, Any]:
        """Return status and body of one call."""
        if path == "/me":
            return (200, {}) if self.admits(bearer) else (401, {})
        if bearer != ADMIN:
            return 403, {}
        key_id = path.removeprefix("/keys").lstrip("/")
        if method == "GET":
            return 200, {
                "keys": [{k: v for k, v in key.items() if k != "secret"} for key in self.keys.values()]
            }
        if method == "POST":
            return 201, self.create(intent)
        if key_id not in self.keys:
            return 404, {}
        if method == "DELETE":
            del self.keys[key_id]
            return 204, None
        self.keys[key_id]["active"] = body["active"]
        return 200, {}


def _handler(provider: KeyProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = orjson.loads(self.rfile.read(length)) if length else None
            fault = provider.faults.pop(self.command, None) if self.path != "/me" else None
            if fault in ("503_before", "429"):
                return self._answer(503 if fault == "503_before" else 429, {})
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            intent = self.headers.get("Idempotency-Key", "")
            status, found = provider.serve(self.command, self.path, bearer, intent, body)
            if fault == "cut_after":
                self.close_connection = True
                return None
            if fault == "503_after":
                return self._answer(503, {})
            return self._answer(status, found, garbage=fault == "garbage_after")

        do_GET = do_POST = do_PATCH = do_DELETE = _any

        def _answer(self, status: int, found: Any, *, garbage: bool = False) -> None:
            data = b"" if found is None else b'{"id": ' if garbage else orjson.dumps(found)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: bearers are in the headers."""

    return Handler
