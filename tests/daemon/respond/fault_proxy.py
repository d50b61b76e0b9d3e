"""A proxy before the real vault that makes one fault at one call. Not a test: a test's tool."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

Kind = Literal["500 after success", "412", "no answer after success"]


@dataclass
class Fault:
    """Happens at the `at`-th call (from 1) whose ``METHOD path`` matches `call`, once."""

    kind: Kind
    call: str
    at: int = 1
    seen: int = 0
    made: bool = False

    def due(self, call: str) -> bool:
        """Count the call; return whether the fault is made now."""
        if self.made or not re.search(self.call, call):
            return False
        self.seen += 1
        self.made = self.seen == self.at
        return self.made


@dataclass
class FaultProxy:
    """Forwards to `upstream` and keeps every call that was carried out: (METHOD path, status)."""

    upstream: str
    faults: list[Fault]
    calls: list[tuple[str, int]] = field(default_factory=list)
    address: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def carried_out(self, call: str) -> int:
        """Return how many matching calls the vault did and said yes to."""
        return sum(1 for made, status in self.calls if status < 300 and re.search(call, made))


@contextmanager
def proxied(upstream: str, *faults: Fault) -> Iterator[FaultProxy]:
    """Run a proxy on a free port of 127.0.0.1."""
    proxy = FaultProxy(upstream, list(faults))
    client = httpx.Client(trust_env=False, timeout=20.0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            call = f"{self.command} {self.path}"
            fault = next((one for one in proxy.faults if one.due(call)), None)
            if fault is not None and fault.kind == "412":
                self._say(412, b'{"errors":["required state not present"]}')
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
            reply = client.request(self.command, upstream + self.path, content=body, headers=headers)
            proxy.calls.append((call, reply.status_code))
            if fault is None:
                self._say(reply.status_code, reply.content)
            elif fault.kind == "500 after success":
                self._say(500, b'{"errors":["internal error"]}')
            else:
                proxy.ended.wait(30.0)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
        client.close()
