"""A token reviewer over HTTP, so that the real vault lets service accounts in. A test's tool.

It stands for the API server's TokenReview only; the real one is in tests/stack.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAMESPACE = "data"


@contextmanager
def reviewer(account: str) -> Iterator[str]:
    """Run a reviewer that lets every token in as `account`; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            user = {"username": user_of(account), "uid": account, "groups": []}
            review = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "status": {"authenticated": True, "user": user},
            }
            body = json.dumps(review).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def service_account_token(account: str) -> str:
    """Return a token of the shape that a cluster signs; only the reviewer would check its signature."""
    now = time.time()
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": user_of(account),
        "iat": int(now) - 10,
        "nbf": int(now) - 10,
        "exp": int(now) + 3600,
        "kubernetes.io": {
            "namespace": NAMESPACE,
            "serviceaccount": {"name": account, "uid": account},
        },
    }
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    head = ".".join(_text(json.dumps(part).encode()) for part in parts)
    return f"{head}.{_text(b'signature' * 8)}"


def user_of(account: str) -> str:
    return f"system:serviceaccount:{NAMESPACE}:{account}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
