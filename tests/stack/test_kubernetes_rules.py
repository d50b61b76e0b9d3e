"""The shipped rules meet what a real API server audits when the acts that they are for are done to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from parts.kubernetes import KubernetesPart
from parts.kubernetes_audit_trail import audited
from parts.kubernetes_objects import (
    MESH_GROUP,
    RBAC,
    account_token,
    bind,
    cluster_role,
    mesh_policies,
    namespace,
    open_session,
    pod,
    secret,
    service_account,
)

from config.detection import Detection
from daemon.ruleset import ruleset
from daemon.scanning import scan
from detectors.finding import Finding

SPACE: Final = "attacked"
HOME: Final = "foothold"


class Thief(NamedTuple):
    """Who does it: a pod's account with more rights than it needs, as in most breaches."""

    server: KubernetesPart
    token: str


@pytest.fixture(scope="module")
def thief(kubernetes: KubernetesPart) -> Thief:
    """A stolen pod token that may do everything."""
    for space in (SPACE, HOME):
        namespace(kubernetes, space)
    service_account(kubernetes, HOME, "app")
    service_account(kubernetes, SPACE, "payments")
    pod(kubernetes, HOME, "app-1", "app")
    pod(kubernetes, SPACE, "payments-1", "payments")
    secret(kubernetes, SPACE, "database", {"password": "not-to-be-seen"})
    cluster_role(kubernetes, "too-much", [(["*"], ["*"], ["*"])])
    bind(kubernetes, "too-much", "too-much", {"kind": "ServiceAccount", "namespace": HOME, "name": "app"})
    mesh_policies(kubernetes)
    return Thief(kubernetes, account_token(kubernetes, HOME, "app", pod="app-1"))


@pytest.fixture
def found(thief: Thief, tmp_path: Path) -> Callable[[Callable[[Thief], object]], list[Finding]]:
    """Return what does an act and returns the findings over what was audited meanwhile."""

    def run(act: Callable[[Thief], object]) -> list[Finding]:
        with audited(thief.server) as trail:
            act(thief)
        batches = tmp_path / "batches.jsonl"
        batches.write_bytes(b"\n".join(batch.strip() for batch in trail.seen.batches))
        rules = ruleset(Detection())
        findings = [at.finding for at in scan([batches], "kubernetes_audit", rules, learning_s=86_400.0)]
        print(Counter(finding.title for finding in findings))
        return findings

    return run


def exec_by_spdy(thief: Thief) -> None:
    """What `kubectl exec` did before 1.31."""
    assert open_session(thief.server, SPACE, "payments-1", ["sh"], token=thief.token) == 101


def exec_by_websocket(thief: Thief) -> None:
    """What `kubectl exec` does since."""
    assert open_session(thief.server, SPACE, "payments-1", ["sh"], token=thief.token, websocket=True) == 101


def attach(thief: Thief) -> None:
    """`kubectl attach`."""
    assert open_session(thief.server, SPACE, "payments-1", kind="attach", token=thief.token) == 101


def forward_port(thief: Thief) -> None:
    """`kubectl port-forward`."""
    assert open_session(thief.server, SPACE, "payments-1", kind="portforward", token=thief.token) == 101


def list_all_secrets(thief: Thief) -> None:
    """`kubectl get secrets -A`."""
    assert thief.server.call("GET", "/api/v1/secrets?limit=500", token=thief.token).status_code == 200


def mirror_secrets(thief: Thief) -> None:
    """What a controller's client asks for, and what a thief may ask for too."""
    path = "/api/v1/secrets?resourceVersion=0"
    assert thief.server.call("GET", path, token=thief.token).status_code == 200


def watch_secrets(thief: Thief) -> None:
    """A watch without a version begins with all that there is."""
    path = "/api/v1/secrets?watch=1&timeoutSeconds=1"
    answer = thief.server.call("GET", path, token=thief.token)
    assert answer.status_code == 200 and '"database"' in answer.text


def list_then_mint(thief: Thief) -> None:
    """Secrets of a namespace, then a token of an account that lives there."""
    path = f"/api/v1/namespaces/{SPACE}/secrets"
    assert thief.server.call("GET", path, token=thief.token).status_code == 200
    account_token(thief.server, SPACE, "payments", token=thief.token)


def bind_administrator(thief: Thief) -> None:
    """cluster-admin for an account of one's own."""
    subject = {"kind": "ServiceAccount", "namespace": HOME, "name": "app"}
    assert bind(thief.server, "backdoor", "cluster-admin", subject, token=thief.token) == 201


def make_wildcard_role(thief: Thief) -> None:
    """A role of everything under a harmless name."""
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": rules}
    thief.server.made(f"{RBAC}/clusterroles", {**body, "metadata": {"name": "log-reader"}}, token=thief.token)


def make_privileged_pod(thief: Thief) -> None:
    """A pod that owns its node."""
    container = {"name": "x", "image": "registry.example/x", "securityContext": {"privileged": True}}
    spec = {"containers": [container], "hostPID": True, "serviceAccountName": "payments"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "helper"}, "spec": spec}
    thief.server.made(f"/api/v1/namespaces/{SPACE}/pods", body, token=thief.token)


def weaken_mesh(thief: Thief) -> None:
    """Plain text is welcome again."""
    policy = {"metadata": {"name": "default"}, "spec": {"mtls": {"mode": "PERMISSIVE"}}}
    body = {"apiVersion": f"{MESH_GROUP}/v1", "kind": "PeerAuthentication", **policy}
    thief.server.made(
        f"/apis/{MESH_GROUP}/v1/namespaces/{SPACE}/peerauthentications", body, token=thief.token
    )


def debug_container(thief: Thief) -> None:
    """`kubectl debug`: a container of one's own inside a running pod."""
    added = {"name": "debugger", "image": "registry.example/x", "targetContainerName": "main"}
    body = {"spec": {"ephemeralContainers": [added]}}
    path = f"/api/v1/namespaces/{SPACE}/pods/payments-1/ephemeralcontainers"
    assert thief.server.call("PATCH", path, body, token=thief.token).status_code == 200


ACTS = [
    (exec_by_spdy, "Session opened into a running pod"),
    (exec_by_websocket, "Session opened into a running pod"),
    (attach, "Session opened into a running pod"),
    (forward_port, "Session opened into a running pod"),
    (debug_container, "Session opened into a running pod"),
    (list_all_secrets, "Secrets of all namespaces listed"),
    (mirror_secrets, "Secrets of all namespaces mirrored by a client"),
    (watch_secrets, "Secrets of all namespaces mirrored by a client"),
    (list_then_mint, "Token minted for a service account of another namespace"),
    (list_then_mint, "Secrets listed, then a token minted"),
    (bind_administrator, "Cluster administrator bound"),
    (make_wildcard_role, "Role with rights over everything"),
    (make_privileged_pod, "Pod with rights over its node"),
    (weaken_mesh, "Mutual TLS of the mesh weakened"),
]


@pytest.mark.claim(
    "each shipped Kubernetes rule for an attack step fires on that step done to a real API server",
    double="kubelet: answers the upgrade, runs nothing",
)
@pytest.mark.parametrize(("act", "title"), ACTS, ids=[f"{act.__name__}-{title}" for act, title in ACTS])
def test_the_rule_fires_and_names_the_thief(found, act: Callable[[Thief], None], title: str) -> None:
    hits = [finding for finding in found(act) if finding.title == title]
    assert hits
    for finding in hits:
        assert ("service_account", f"{HOME}/app") in {(e.type, e.id) for e in finding.entities}


@pytest.mark.claim("everyday calls to a real API server raise nothing")
def test_everyday_calls_raise_nothing(found) -> None:
    def work(thief: Thief) -> None:
        server = thief.server
        for path in ("pods", "services", "configmaps", "secrets/database"):
            assert server.call("GET", f"/api/v1/namespaces/{SPACE}/{path}").status_code == 200
        pod(server, SPACE, "payments-2", "payments")
        server.call("DELETE", f"/api/v1/namespaces/{SPACE}/pods/payments-2")
        reader = {"kind": "User", "name": "carol"}
        assert bind(server, "carol-reads", "view", reader) == 201

    assert [finding for finding in found(work) if finding.level != "informational"] == []
