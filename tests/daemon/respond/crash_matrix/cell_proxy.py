"""A proxy before the real vault that knows where in a rotation it is. Not a test: a test's tool.

The rotation's call has four places here: it was sent (the vault has not seen it), it is done (the answer is
still held back), and before the mark is read that shows it. At each the cell's fault may be played.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass
class CellProxy:
    """`at(place)` is told the place; what it leaves in `armed` (500, 412, timeout) spoils the next answer."""

    upstream: str
    at: Callable[[str], None]
    armed: str = ""
    rotated: bool = False
    rotations: int = 0
    address: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def spoiled(self) -> str:
        """Return how the answer at hand is spoiled, once."""
        armed, self.armed = self.armed, ""
        return armed


@contextmanager
def proxied(upstream: str, at: Callable[[str], None]) -> Iterator[CellProxy]:
    """Run a proxy on a free port of 127.0.0.1."""
    proxy = CellProxy(upstream, at)
    client = httpx.Client(trust_env=False, timeout=30.0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            rotates = "/rotate-role/" in self.path
            if rotates:
                proxy.at("call sent")
            elif proxy.rotated and "/static-roles/" in self.path:
                proxy.at("before observe")
            spoiled = proxy.spoiled()
            if spoiled == "412":
                self._say(412, b'{"errors":["required state not present"]}')
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
            reply = client.request(self.command, upstream + self.path, content=body, headers=headers)
            if rotates and reply.status_code < 300:
                proxy.rotated, proxy.rotations = True, proxy.rotations + 1
                proxy.at("call done")
                spoiled = spoiled or proxy.spoiled()
            if not spoiled:
                self._say(reply.status_code, reply.content)
            elif spoiled == "timeout":
                proxy.ended.wait(30.0)
            else:
                self._say(int(spoiled), b'{"errors":["spoiled"]}')

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def _say(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # The worker was killed, or has stopped waiting: that is the fault.
                self.close_connection = True

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
