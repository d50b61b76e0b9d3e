"""What a caller sends on purpose to a real API server: whatever it audits is read."""

from __future__ import annotations

import socket
import ssl
from typing import Final
from urllib.parse import quote, urlsplit

import pytest
from parts.kubernetes import KubernetesPart
from parts.kubernetes_audit_trail import audited

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack

KUBERNETES = profile("kubernetes_audit")
END: Final = b"Connection: close\r\n\r\n"
TARGETS: Final = {
    "not UTF-8 in the path": b"/api/v1/namespaces/%ff%fe/pods",
    "newline and quotes in the path": b"/api/v1/namespaces/a%0a%22%7D/pods",
    "dots": b"/api/v1/../../secrets/..%2f..",
    "long query": b"/version?q=" + b"x" * 30_000,
    "no resource": b"/apis/no.such.group/v1/things/one/two/three",
    "a secret in the query": b"/version?token=correct-horse-battery",
    "empty segments": b"//api//v1//pods",
    "semicolons": b"/api/v1/pods;x=1?limit=9999999999999999999999",
}
NAMES: Final = (
    "a" * 3000,
    'quote" and \\ slash',
    "line\nbreak",
    "ünï-\u202e-code",
    "system:serviceaccount:::",
)


def send(server: KubernetesPart, method: bytes, target: bytes, headers: bytes) -> bytes:
    """Send one request as it is; return the beginning of the answer."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    place = urlsplit(server.url)
    assert place.hostname and place.port
    plain = socket.create_connection((place.hostname, place.port), timeout=10)
    with context.wrap_socket(plain, server_hostname=place.hostname) as session:
        session.sendall(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n" + headers + END)
        return session.recv(65536)


@pytest.mark.claim("whatever a caller sends to the API server, each event that it audits is read")
def test_hostile_callers_are_read(kubernetes: KubernetesPart) -> None:
    bearer = f"Authorization: Bearer {kubernetes.admin_token}\r\n".encode()
    agents = (
        b"User-Agent: \xff\xfe\x80\r\n",
        b'User-Agent: {"auditID":"x"}\r\n',
        b"User-Agent: a\x1b[31m\r\n",
    )
    with audited(kubernetes) as trail:
        for target in TARGETS.values():
            for method in (b"GET", b"BREW", b"DELETE"):
                assert send(kubernetes, method, target, bearer).startswith(b"HTTP/1.1 ")
        for header in (*agents, b"X-Forwarded-For: not-an-address, \xff\r\n", b"Audit-ID: \x80/../\r\n"):
            send(kubernetes, b"GET", b"/version", bearer + header)
        for name in NAMES:
            kubernetes.call("GET", "/version", token=kubernetes.user_token(name, [name]))
            as_name = {"Impersonate-User": quote(name)}
            kubernetes.call("GET", "/version", headers=as_name)
        for body in (b"[[[[", b"\xff" * 100, b"null", b'{"kind":"Pod","kind":"Secret"}'):
            kubernetes.call("POST", "/api/v1/namespaces/default/pods", body)
    read = [unpack(batch, KUBERNETES, "k8s.audit", 0, n) for n, batch in enumerate(trail.seen.batches)]
    assert [str(reject) for one in read for reject in one.rejects] == []
    events = [event for one in read for event in one.events]
    assert len(events) > 2 * (len(TARGETS) + len(NAMES))
    names = {event.fields["user"].get("username") for event in events}  # type: ignore[union-attr]
    assert set(NAMES) <= names
    for event in events:
        assert KUBERNETES.ecs(event)["event"]["id"] == event.event_id
        assert KUBERNETES.entities(event) and "\n" not in KUBERNETES.summary(event)
