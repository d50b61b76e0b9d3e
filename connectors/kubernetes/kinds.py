"""The kinds of objects that Davylamp touches, and where each lives on the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.kubernetes.permission import Permission


@dataclass(frozen=True, slots=True)
class Kind:
    """`group` is "" for the core; `plural` is the resource of RBAC."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of the collection, or of one object. Both names must have been checked."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        space = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{space}/{self.plural}{f'/{name}' if name else ''}"

    def may(self, verb: str, namespace: str, name: str = "", subresource: str = "") -> Permission:
        """Return the right to do `verb` to this kind."""
        return Permission(verb, self.group, self.plural, namespace, name, subresource)


POD: Final = Kind("", "v1", "Pod", "pods")
SECRET: Final = Kind("", "v1", "Secret", "secrets")
SERVICE_ACCOUNT: Final = Kind("", "v1", "ServiceAccount", "serviceaccounts")
REPLICA_SET: Final = Kind("apps", "v1", "ReplicaSet", "replicasets")
NETWORK_POLICY: Final = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
AUTHORIZATION_POLICY: Final = Kind("security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies")
WORKLOADS: Final = {
    "deployment": Kind("apps", "v1", "Deployment", "deployments"),
    "statefulset": Kind("apps", "v1", "StatefulSet", "statefulsets"),
    "daemonset": Kind("apps", "v1", "DaemonSet", "daemonsets"),
    "replicaset": REPLICA_SET,
    "job": Kind("batch", "v1", "Job", "jobs"),
    "pod": POD,
}
"""What runs pods, by the word that a target's name begins with."""
