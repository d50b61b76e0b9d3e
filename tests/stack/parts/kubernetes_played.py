"""One play on the API server with everything that its tests look at, and what the daemon reads of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from parts.kubernetes import KubernetesPart
from parts.kubernetes_audit_trail import AuditTrail, audited
from parts.kubernetes_objects import (
    account_token,
    bind,
    namespace,
    open_session,
    pod,
    run_pod,
    secret,
    service_account,
)

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.unpacked import Unpacked
from detectors.event import Event

VALUE: Final = "correct-horse-battery-staple"
VALUE_ENCODED: Final = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ"
CHOSEN: Final = "an id of the caller's choice"
RESPONDED: Final = "ResponseComplete"
KUBERNETES: Final = profile("kubernetes_audit")
_BINDING: Final = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: dave}}]
"""


class Played(NamedTuple):
    """What was audited, what the daemon makes of it, and the tokens that were given out."""

    trail: AuditTrail
    unpacked: list[Unpacked]
    tokens: list[str]

    @property
    def events(self) -> list[Event]:
        """The events of all batches."""
        return [event for batch in self.unpacked for event in batch.events]

    def one(self, part: str, stage: str = RESPONDED, verb: str | None = None) -> Event:
        """The only event at that stage whose request URI has `part`."""
        found = [
            event
            for event in self.events
            if part in str(event.fields["requestURI"])
            and event.fields["stage"] == stage
            and verb in (None, event.fields["verb"])
        ]
        assert len(found) == 1, [e.fields["requestURI"] for e in found]
        return found[0]


def played_in(server: KubernetesPart, space: str) -> Played:
    """Play in the new namespace `space`. Raises AssertionError when the server answers otherwise."""
    with audited(server) as trail:
        tokens = _play(server, space)
        trail.seen.wait(lambda e: "/exec" in e["requestURI"] and e["stage"] == RESPONDED, count=2)
    batches = enumerate(trail.seen.batches)
    return Played(trail, [unpack(batch, KUBERNETES, "k8s.audit", 0, n) for n, batch in batches], tokens)


def _play(server: KubernetesPart, space: str) -> list[str]:
    """Return the tokens that were given out."""
    namespace(server, space)
    service_account(server, space, "web")
    pod(server, space, "web-1", "web")
    assert run_pod(server, space, "web-1", "10.20.30.40") == 200
    stolen = account_token(server, space, "web", pod="web-1")
    assert server.call("GET", "/api/v1/secrets?by=stolen", token=stolen).status_code == 403
    secret(server, space, "login", {"password": VALUE})
    assert VALUE not in server.call("GET", f"/api/v1/namespaces/{space}/secrets?by=admin").text
    alice = server.user_token("alice", ["developers"])
    forged = {"X-Forwarded-For": "198.51.100.9, 198.51.100.10", "X-Real-Ip": "198.51.100.11"}
    server.call("GET", f"/api/v1/namespaces/{space}/pods?by=alice", token=alice, headers=forged)
    server.call("GET", "/api/v1/nodes?by=nobody", token="not-a-token")
    server.call("GET", "/version?by=stranger", token="")
    for name in ("first", "second"):
        path = f"/api/v1/namespaces/{space}/configmaps?chosen={name}"
        server.call("GET", path, headers={"Audit-ID": CHOSEN})
    as_bob = {"Impersonate-User": "bob", "Impersonate-Group": "operators"}
    server.call("GET", f"/api/v1/namespaces/{space}/pods?by=admin-as-bob", headers=as_bob)
    assert open_session(server, space, "web-1", ["sh", "-c", "spdy"]) == 101
    assert open_session(server, space, "web-1", ["sh", "-c", "websocket"], websocket=True) == 101
    bind(server, f"{space}-view", "view", {"kind": "ServiceAccount", "namespace": space, "name": "web"})
    huge = {"metadata": {"annotations": {"padding": "x" * 150_000}}}
    assert server.call("PATCH", f"/api/v1/namespaces/{space}/pods/web-1?huge=1", huge).status_code == 200
    _patch(server, space, "written", "application/apply-patch+yaml", _BINDING.format(name=space).encode())
    added = b'[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"eve"}}]'
    _patch(server, space, "added", "application/json-patch+json", added)
    return [stolen, alice, server.admin_token]


def _patch(server: KubernetesPart, name: str, mark: str, kind: str, body: bytes) -> None:
    """Write or change one role binding by a patch of that content type."""
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}?fieldManager={mark}"
    assert server.call("PATCH", path, body, headers={"Content-Type": kind}).status_code in (200, 201)
