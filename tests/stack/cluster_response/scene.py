"""A namespace on the real API server with workloads as their controllers would leave them, and callers."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from cluster_response.faulty import Faulty
from parts.kubernetes import NODE, KubernetesPart
from parts.kubernetes_objects import RBAC, namespace, service_account

from connectors.containment.catalogue import roles
from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.permission import Permission
from daemon.demo.error import PartFailedError

Labels = Mapping[str, str]


@dataclass
class Scene:
    """One namespace of its own; `faulty` is the transport of the last client."""

    server: KubernetesPart
    space: str
    clients: list[KubernetesClient] = field(default_factory=list)

    @classmethod
    def made(cls, server: KubernetesPart, prefix: str) -> Scene:
        """Make a new namespace with the service accounts `web` and `db`."""
        scene = cls(server, f"{prefix}-{secrets.token_hex(3)}")
        namespace(server, scene.space)
        for account in ("web", "db"):
            service_account(server, scene.space, account)
        return scene

    def close(self) -> None:
        """Give the connections back."""
        for client in self.clients:
            client.close()

    def deployment(
        self, name: str, labels: Labels, *, selector: Labels | None = None, **spec: Any
    ) -> list[str]:
        """Make a deployment with a replica set and two pods; return the pods' names."""
        chosen = dict(selector or labels)
        pod_spec = {"serviceAccountName": "web", "containers": [{"name": "main", "image": "r.example/a:1"}]}
        template = {"metadata": {"labels": dict(labels)}, "spec": {**pod_spec, **spec}}
        body = {"selector": {"matchLabels": chosen}, "template": template}
        uid = self._made("/apis/apps/v1", "deployments", "Deployment", name, body)
        owner = _owner("apps/v1", "Deployment", name, uid)
        set_name = f"{name}-7d9f"
        uid = self._made("/apis/apps/v1", "replicasets", "ReplicaSet", set_name, body, owners=[owner])
        owner = _owner("apps/v1", "ReplicaSet", set_name, uid)
        return [self.pod(f"{set_name}-{n}", labels, owners=[owner], **spec) for n in ("a", "b")]

    def pod(self, name: str, labels: Labels, owners: Sequence[Any] = (), **spec: Any) -> str:
        """Make a pod; return its name."""
        container = {"name": "main", "image": "r.example/a:1"}
        whole = {"serviceAccountName": "web", "nodeName": NODE, "containers": [container], **spec}
        self._made("/api/v1", "pods", "Pod", name, whole, labels=labels, owners=owners)
        return name

    def policy(self, name: str, spec: Mapping[str, Any]) -> None:
        """Make a NetworkPolicy."""
        self._made("/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", name, spec)

    def objects(self, plural: str, group: str = "networking.k8s.io", space: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, as the admin sees them."""
        path = f"/apis/{group}/v1/namespaces/{space or self.space}/{plural}"
        return self.server.call("GET", path).json()["items"]

    def caller(self, rights: Sequence[Permission]) -> str:
        """Return the token of a new user that has exactly `rights`."""
        user = f"davylamp-{secrets.token_hex(4)}"
        for one in roles(user, rights):
            place = one["metadata"].get("namespace")  # type: ignore[union-attr]
            base = f"{RBAC}/namespaces/{place}" if place else RBAC
            self.server.made(f"{base}/{'roles' if place else 'clusterroles'}", one)
            kind = "RoleBinding" if place else "ClusterRoleBinding"
            binding = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": one["kind"], "name": user},
                "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
            }
            self.server.made(f"{base}/{kind.lower()}s", binding)
        return self.server.user_token(user)

    def client(self, token: str) -> tuple[KubernetesClient, Faulty]:
        """Return a client with this token, and its transport."""
        verify = ssl.create_default_context(cafile=str(self.server.ca_file))
        transport = Faulty(httpx.HTTPTransport(verify=verify))
        inner = httpx.Client(base_url=self.server.url, transport=transport, timeout=10.0, trust_env=False)
        made = KubernetesClient(self.server.url, lambda: token, client=inner)
        self.clients.append(made)
        return made, transport

    def _made(
        self,
        base: str,
        plural: str,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        *,
        labels: Labels | None = None,
        owners: Sequence[Any] = (),
    ) -> str:
        version = base.removeprefix("/apis/").removeprefix("/api/")
        metadata = {"name": name, "labels": dict(labels or {}), "ownerReferences": list(owners)}
        body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}
        path = f"{base}/namespaces/{self.space}/{plural}"
        answer = self.server.call("POST", path, body)
        if answer.status_code != 201:
            raise PartFailedError(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()["metadata"]["uid"]


def _owner(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}
