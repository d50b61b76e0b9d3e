"""What a containment is given by the process that runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.protected import Protected

DEFAULT_S: Final = 4 * 3600.0
MAX_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Tools:
    """The API server, the deny list, how long a containment lasts (seconds), and where the mesh listens.

    `mesh_namespace` is Istio's root namespace: a policy there binds the whole mesh.
    """

    kubernetes: KubernetesClient
    protected: Protected = field(default_factory=Protected)
    duration_s: float = DEFAULT_S
    mesh_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"

    def __post_init__(self) -> None:
        if not 60.0 <= self.duration_s <= MAX_S:
            raise ValueError(f"a containment lasts 60 to {MAX_S:.0f} s, not {self.duration_s:g}")
