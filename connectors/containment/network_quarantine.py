"""Quarantine of a workload by a NetworkPolicy that selects exactly its pods and allows nothing.

Policies add up: what another policy allows to or from these pods stays allowed, and no NetworkPolicy can take
it away (Kubernetes, "Network Policies"). So such policies are named, before and after. Pods on the node's own
network are not bound by any. Whether a policy is enforced, and what becomes of open connections, is the
network plug-in's matter: the API server cannot say, so the grade is C.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from connectors.containment.mark import Mark
from connectors.containment.standing_object import StandingObject
from connectors.kubernetes.kinds import NETWORK_POLICY
from connectors.kubernetes.names import shown
from connectors.kubernetes.permission import Permission
from connectors.kubernetes.selector import selects
from connectors.kubernetes.workload import NotExactError, Workload, WorkloadRef, few, read_workload
from detectors.event import Fields
from playbooks.target import TargetRef

_BOTH: Final = ("Ingress", "Egress")


class NetworkQuarantine(StandingObject):
    """Targets: `mount` is the namespace, `name` is ``deployment/web``, ``pod/web-1`` and the like."""

    kind = "network_quarantine"
    object_kind = NETWORK_POLICY
    effect = "create NetworkPolicy"
    example = "{kind: network_quarantine, mount: payments, name: deployment/web}"

    def refused(self, target: TargetRef) -> str | None:
        """Return why the workload is protected, None when it is not. Raises NotANameError."""
        return self._tools.protected.why(_ref(target))

    def rights(self, target: TargetRef) -> Sequence[Permission]:
        """Return what reading the workload and its policies, making one and deleting it takes."""
        ref = _ref(target)
        name = Mark(self.kind, target.key, "", 0.0).name
        own = [NETWORK_POLICY.may(verb, ref.namespace, name) for verb in ("get", "delete")]
        others = [NETWORK_POLICY.may(verb, ref.namespace) for verb in ("create", "list")]
        return (*ref.permissions(), *own, *others)

    def place(self, target: TargetRef) -> str:
        """Return the workload's namespace."""
        return _ref(target).namespace

    def draft(self, target: TargetRef) -> tuple[Fields, list[str]]:
        """Return the spec that selects the workload's pods and allows nothing. Raises NotExactError."""
        found = read_workload(self._server, _ref(target))
        if found.host_network or any(pod.host_network for pod in found.pods):
            raise NotExactError(f"{found.ref}: its pods use the node's network, no NetworkPolicy binds them")
        spec: Fields = {"podSelector": found.selector, "policyTypes": list(_BOTH)}
        names = [pod.name for pod in found.pods]
        return spec, [f"selects {len(names)} pod(s) of {found.ref}: {few(names) or 'none runs now'}"]

    def overrides(self, target: TargetRef, spec: Fields) -> list[str]:
        """Return the policies that still allow something to or from these pods, with the direction."""
        found = read_workload(self._server, _ref(target))
        own = Mark(self.kind, target.key, "", 0.0).name
        lines: list[str] = []
        for policy in self._server.listed(NETWORK_POLICY, found.ref.namespace):
            name = str(cast(Fields, policy["metadata"]).get("name"))
            ways = _allowed(cast(Fields, policy.get("spec") or {}))
            if name != own and ways and _reaches(policy, found):
                lines.append(f"NetworkPolicy {shown(name)} still allows {' and '.join(ways)}")
        return lines


def _ref(target: TargetRef) -> WorkloadRef:
    return WorkloadRef.parse(target.mount, target.name)


def _reaches(policy: Fields, found: Workload) -> bool:
    selector = cast(Fields, cast(Fields, policy.get("spec") or {}).get("podSelector") or {})
    labels: list[Mapping[str, str]] = [pod.labels for pod in found.pods]
    planned = cast("Mapping[str, str]", found.selector.get("matchLabels") or {})
    return any(selects(selector, one) for one in [*labels, planned])


def _allowed(spec: Fields) -> list[str]:
    """Return the directions in which a policy allows anything (an empty list of rules allows nothing)."""
    return [way for way in ("ingress", "egress") if spec.get(way)]


CONTAINMENT: Final = NetworkQuarantine
