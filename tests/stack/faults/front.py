"""An HTTP server in front of a real search node that makes faults: it refuses, is slow, or takes half."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

import httpx
import orjson

Mode = Literal["through", "refuses", "slow", "busy", "half"]
SLOW_S: Final = 2.0
_JSON: Final = "application/json"
_BUSY: Final = {"type": "rejected_execution_exception", "reason": "made by the test"}


class Front(ThreadingHTTPServer):
    """Passes requests on to `behind`; the fault of `mode` is made to bulk requests. `made` counts them.

    "refuses" ends the connection without a word; "slow" answers after 2 s, when the node has done it all;
    "busy" answers 429; "half" passes on every second action and answers 429 for the others.
    """

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode: Mode = "through"
        self.made = 0
        self.behind = httpx.Client(base_url=behind, timeout=30.0, trust_env=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def set(self, mode: Mode) -> None:
        """Make this fault from now on; count anew."""
        self.mode, self.made = mode, 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode: Mode = self.server.mode if self.path.startswith("/_bulk") else "through"
        if mode != "through":
            self.server.made += 1
        match mode:
            case "refuses":
                self.close_connection = True
            case "busy":
                self._answer(429, orjson.dumps({"error": _BUSY, "status": 429}))
            case "half":
                self._half(body)
            case _:
                answer = self._behind(body)
                time.sleep(SLOW_S if mode == "slow" else 0.0)
                self._answer(answer.status_code, answer.content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _behind(self, body: bytes) -> httpx.Response:
        headers = {"Content-Type": self.headers.get("Content-Type", _JSON)}
        return self.server.behind.request(self.command, self.path, content=body, headers=headers)

    def _half(self, body: bytes) -> None:
        lines = body.splitlines(keepends=True)
        actions = [lines[n] + lines[n + 1] for n in range(0, len(lines) - 1, 2)]
        answer = self._behind(b"".join(actions[::2])).json()
        taken = iter(answer["items"])
        items = [next(taken) if n % 2 == 0 else _refused(lines[2 * n]) for n in range(len(actions))]
        self._answer(200, orjson.dumps({**answer, "errors": True, "items": items}))

    def _answer(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", _JSON)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _refused(action: bytes) -> dict[str, Any]:
    ((kind, about),) = orjson.loads(action).items()
    return {kind: {**about, "status": 429, "error": _BUSY}}


@contextmanager
def front_of(behind: str) -> Iterator[Front]:
    """Serve while the block lasts."""
    front = Front(behind)
    serving = threading.Thread(target=front.serve_forever, daemon=True)
    serving.start()
    try:
        yield front
    finally:
        front.shutdown()
        serving.join()
        front.server_close()
        front.behind.close()
