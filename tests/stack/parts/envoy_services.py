"""The two services behind the proxies: HTTP that answers as asked, and TCP that sends back what it got."""

from __future__ import annotations

import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from daemon.demo.parts.ports import LOOPBACK

_MAX_BYTES: Final = 16 * 1024 * 1024


class Services:
    """Both servers, each in a thread, on free ports: `http_port` and `tcp_port`.

    HTTP: `/status/CODE` answers with that code, `/bytes/COUNT` with that many bytes, all else with 200.
    """

    def __init__(self) -> None:
        """Listen; nothing is answered before `start`."""
        servers = ThreadingHTTPServer((LOOPBACK, 0), _Http), _TcpServer((LOOPBACK, 0), _Echo)
        self._servers: tuple[socketserver.BaseServer, ...] = servers
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True) for server in servers
        ]
        self.http_port, self.tcp_port = servers[0].server_port, int(servers[1].server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close both ports."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.is_alive():
                server.shutdown()
                thread.join()
            server.server_close()


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _MAX_BYTES))
        _, kind, value = [*self.path.partition("?")[0].split("/"), "", ""][:3]
        number = int(value) if value.isdigit() else 0
        body = b"x" * min(number, _MAX_BYTES) if kind == "bytes" else b"ok"
        self.send_response(number if kind == "status" and 200 <= number < 600 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the proxies log."""


class _TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)
