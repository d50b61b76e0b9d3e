"""A double of the kubelet: TLS, and `101 Switching Protocols` to whoever opens a session into a pod.

The API server audits exec, attach and port-forward by what the node answers. A real kubelet needs a
container runtime and root; this answers like one that let the session begin, and then closes it. Only the
handshake is like the real thing: no command runs, no stream carries data.
"""

from __future__ import annotations

import base64
import hashlib
import socketserver
import ssl
import threading
from http.client import parse_headers
from pathlib import Path
from typing import Final

from parts.kubernetes_keys import self_signed

from daemon.demo.parts.ports import LOOPBACK

_WEBSOCKET: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""
_PROTOCOLS: Final = ("Sec-WebSocket-Protocol", "X-Stream-Protocol-Version")
_HANDSHAKE_S: Final = 10.0


class Kubelet:
    """The node's HTTPS port on loopback."""

    def __init__(self, folder: Path) -> None:
        """Make the certificate in `folder` and listen on a free port. Raises PartMissingError."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*self_signed(folder))
        self._server = _Server((LOOPBACK, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        context = self._tls

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(_HANDSHAKE_S)
                try:
                    with context.wrap_socket(self.request, server_side=True) as session:
                        with session.makefile("rb") as asked:
                            asked.readline(65537)
                            headers = parse_headers(asked)
                        session.sendall(_answer(dict(headers.items())))
                except OSError:
                    return

        return Handler


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


def _answer(headers: dict[str, str]) -> bytes:
    """Return the answer's head: 101 to an upgrade, 400 to anything else."""
    asked = {name.lower(): value for name, value in headers.items()}
    upgrade = asked.get("upgrade")
    if upgrade is None:
        return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", f"Upgrade: {upgrade}"]
    for name in _PROTOCOLS:
        if offered := asked.get(name.lower()):
            lines.append(f"{name}: {offered.partition(',')[0].strip()}")
    if key := asked.get("sec-websocket-key"):
        accepted = hashlib.sha1(key.encode() + _WEBSOCKET.encode()).digest()
        lines.append(f"Sec-WebSocket-Accept: {base64.b64encode(accepted).decode()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
