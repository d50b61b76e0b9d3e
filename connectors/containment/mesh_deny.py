"""Denial of a workload's identity in the whole mesh, by an Istio AuthorizationPolicy at its root.

DENY comes before every ALLOW (Istio, "Authorization Policy"), so only a CUSTOM extension decides before it.
It binds callers that the mesh knows by certificate: a plaintext call has no principal and passes wherever
PeerAuthentication permits plaintext, and calls that leave the mesh meet no policy. The API server only keeps
the object, proxies enforce it: grade C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.containment.mark import Mark
from connectors.containment.standing_object import StandingObject
from connectors.kubernetes.kinds import AUTHORIZATION_POLICY, POD, SERVICE_ACCOUNT
from connectors.kubernetes.names import namespace_name, object_name
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.workload import few, pods_of_account
from detectors.event import Fields
from playbooks.target import TargetRef


class MeshDeny(StandingObject):
    """Targets: `mount` is the namespace, `name` the service account that is denied everywhere."""

    kind = "mesh_deny"
    object_kind = AUTHORIZATION_POLICY
    effect = "create AuthorizationPolicy"
    example = "{kind: mesh_deny, mount: payments, name: web}"

    def refused(self, target: TargetRef) -> str | None:
        """Return why the identity is protected, None when it is not. Raises NotANameError."""
        return self._tools.protected.why_account(*_account(target))

    def rights(self, target: TargetRef) -> Sequence[Permission]:
        """Return what reading the account and its pods, making the policy and deleting it takes."""
        namespace, account = _account(target)
        place, name = self.place(target), Mark(self.kind, target.key, "", 0.0).name
        return (
            SERVICE_ACCOUNT.may("get", namespace, account),
            POD.may("list", namespace),
            AUTHORIZATION_POLICY.may("create", place),
            AUTHORIZATION_POLICY.may("get", place, name),
            AUTHORIZATION_POLICY.may("delete", place, name),
        )

    def place(self, target: TargetRef) -> str:
        """Return Istio's root namespace: a policy without a selector there binds every workload."""
        _account(target)
        return namespace_name(self._tools.mesh_namespace)

    def draft(self, target: TargetRef) -> tuple[Fields, list[str]]:
        """Return the spec that denies exactly this principal. Raises KubernetesError when it is not there."""
        namespace, account = _account(target)
        self._server.get(SERVICE_ACCOUNT, namespace, account)
        principal = f"{self._tools.trust_domain}/ns/{namespace}/sa/{account}"
        spec: Fields = {
            "action": "DENY",
            "rules": [{"from": [{"source": {"principals": [principal]}}]}],
        }
        names = [pod.name for pod in pods_of_account(self._server, namespace, account)]
        return spec, [f"denies {principal}, which {len(names)} pod(s) have: {few(names) or 'none now'}"]

    def overrides(self, target: TargetRef, spec: Fields) -> list[str]:
        """Return nothing: no policy of Istio's takes a DENY back."""
        return []


def _account(target: TargetRef) -> tuple[str, str]:
    return namespace_name(target.mount), object_name(target.name)


CONTAINMENT: Final = MeshDeny
