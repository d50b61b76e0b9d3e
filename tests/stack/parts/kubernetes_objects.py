"""What the tests make on the API server: namespaces, accounts, pods, roles, tokens, sessions into pods."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from parts.kubernetes import NODE, KubernetesPart

from daemon.demo.error import PartFailedError

RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
MESH_GROUP: Final = "security.istio.io"
_KNOWN_S: Final = 20.0
_WEBSOCKET: Final = {
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c3RhY2sgb2YgZGF2eWxhbXA=",
    "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}
_SPDY: Final = {"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}


def namespace(server: KubernetesPart, name: str) -> None:
    """Make a namespace; nothing happens when it is there."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    answer = server.call("POST", "/api/v1/namespaces", body)
    if answer.status_code not in (201, 409):
        raise PartFailedError(f"namespace {name}: {answer.status_code} {answer.text[:300]}")


def service_account(server: KubernetesPart, space: str, name: str) -> None:
    """Make a service account in an existing namespace."""
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    server.made(f"/api/v1/namespaces/{space}/serviceaccounts", body)


def pod(server: KubernetesPart, space: str, name: str, account: str, *, token: str | None = None) -> None:
    """Make a pod on the node, as its scheduler would leave it. No container runs."""
    container = {"name": "main", "image": "registry.example/app:1"}
    spec = {"serviceAccountName": account, "nodeName": NODE, "containers": [container]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    server.made(f"/api/v1/namespaces/{space}/pods", body, token=token)


def run_pod(server: KubernetesPart, space: str, name: str, address: str) -> int:
    """State the pod's address in its status, as the node's identity does; return the status code."""
    token = server.user_token(f"system:node:{NODE}", ["system:nodes"])
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "192.0.2.10"}
    path = f"/api/v1/namespaces/{space}/pods/{name}/status"
    return server.call("PATCH", path, {"status": status}, token=token).status_code


def secret(server: KubernetesPart, space: str, name: str, values: Mapping[str, str]) -> None:
    """Make a secret of these texts."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
    server.made(f"/api/v1/namespaces/{space}/secrets", body)


def mesh_policies(server: KubernetesPart) -> None:
    """Teach the server Istio's kind PeerAuthentication, with any fields, and wait until it knows it."""
    names = {"plural": "peerauthentications", "singular": "peerauthentication", "kind": "PeerAuthentication"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{MESH_GROUP}"},
        "spec": {"group": MESH_GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    answer = server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    if answer.status_code not in (201, 409):
        raise PartFailedError(f"PeerAuthentication: {answer.status_code} {answer.text[:300]}")
    give_up = time.monotonic() + _KNOWN_S
    while server.call("GET", f"/apis/{MESH_GROUP}/v1/{names['plural']}").status_code != 200:
        if time.monotonic() > give_up:
            raise PartFailedError(f"the server does not serve {names['kind']} after {_KNOWN_S:g} s")
        time.sleep(0.1)


def cluster_role(
    server: KubernetesPart,
    name: str,
    rules: Sequence[tuple[Sequence[str], Sequence[str], Sequence[str]]],
) -> None:
    """Make a cluster role; a rule is (API groups, resources, verbs)."""
    listed = [{"apiGroups": g, "resources": r, "verbs": v} for g, r, v in rules]
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    server.made(f"{RBAC}/clusterroles", {**body, "rules": listed})


def bind(
    server: KubernetesPart, name: str, role: str, subject: Mapping[str, str], *, token: str | None = None
) -> int:
    """Bind a cluster role in the whole cluster to `subject` (kind, name, namespace); return the status."""
    group = "rbac.authorization.k8s.io"
    who = dict(subject) if subject["kind"] == "ServiceAccount" else {**subject, "apiGroup": group}
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [who],
    }
    return server.call("POST", f"{RBAC}/clusterrolebindings", body, token=token).status_code


def account_token(
    server: KubernetesPart,
    space: str,
    account: str,
    *,
    pod: str | None = None,
    token: str | None = None,
) -> str:
    """Ask for a token of a service account, bound to `pod` when one is given. Raises PartFailedError."""
    spec: dict[str, Any] = {"audiences": [], "expirationSeconds": 3600}
    if pod is not None:
        uid = server.call("GET", f"/api/v1/namespaces/{space}/pods/{pod}").json()["metadata"]["uid"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{space}/serviceaccounts/{account}/token"
    return server.made(path, body, token=token)["status"]["token"]


def open_session(
    server: KubernetesPart,
    space: str,
    name: str,
    command: Sequence[str] = (),
    *,
    kind: str = "exec",
    token: str | None = None,
    websocket: bool = False,
) -> int:
    """Open a session into a pod as kubectl does, by websocket or SPDY; return the status (101).

    `kind` is exec, attach or portforward.
    """
    query = [("command", word) for word in command] + [("stdout", "true"), ("container", "main")]
    path = f"/api/v1/namespaces/{space}/pods/{name}/{kind}?{urlencode(query)}"
    headers = {"Connection": "Upgrade", **(_WEBSOCKET if websocket else _SPDY)}
    return server.call("GET" if websocket else "POST", path, token=token, headers=headers).status_code
