"""What no response may touch: what the cluster, the mesh and Davylamp itself stand on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from connectors.kubernetes.workload import WorkloadRef

NAMESPACES: Final = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "istio-system", "flux-system", "davylamp"}
)


@dataclass(frozen=True, slots=True)
class Protected:
    """The deny list. `workloads` are ``namespace/kind/name``, `accounts` ``namespace/name``.

    Configuration adds to it; nothing takes `NAMESPACES` away.
    """

    namespaces: Collection[str] = ()
    workloads: Collection[str] = ()
    accounts: Collection[str] = ()

    def why(self, ref: WorkloadRef) -> str | None:
        """Return why this workload is protected, None when it is not."""
        if ref.namespace in NAMESPACES or ref.namespace in self.namespaces:
            return f"the namespace {ref.namespace} is protected"
        if str(ref) in self.workloads:
            return f"the workload {ref} is protected"
        return None

    def why_account(self, namespace: str, account: str) -> str | None:
        """Return why this service account is protected, None when it is not."""
        if namespace in NAMESPACES or namespace in self.namespaces:
            return f"the namespace {namespace} is protected"
        if f"{namespace}/{account}" in self.accounts:
            return f"the service account {namespace}/{account} is protected"
        return None
