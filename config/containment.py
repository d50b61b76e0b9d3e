"""Containment: which workloads may be cut off, for how long, and which cluster is asked."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from config.cluster import Cluster
from config.data_class import DataClass
from config.section import Section

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class ContainmentTarget(Section):
    """What may be cut off. `mount` is the namespace.

    `name`: for `network_quarantine` a kind of workload (``deployment``: any of the namespace) or one of them
    (``deployment/web``); for `mesh_deny` a service account. Which kinds there are, the catalogue knows.
    """

    kind: str = Field(default="network_quarantine", pattern=r"^[a-z][a-z0-9_]{2,63}$")
    mount: str = Field(pattern=rf"^{_LABEL}$")
    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?(/[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?)?$"
    )
    classification: DataClass = "unknown"
    owner: str = "unowned"

    @property
    def key(self) -> str:
        """The canonical name of the target: kind, mount and name."""
        return f"{self.kind}:{self.mount}/{self.name}"


class Containment(Section):
    """Always proposed, never automatic. `mesh_namespace` is Istio's root namespace."""

    targets: tuple[ContainmentTarget, ...] = ()
    duration_s: float = Field(default=14_400.0, ge=60, le=86_400)
    cluster: Cluster = Cluster()
    mesh_namespace: str = Field(default="istio-system", pattern=rf"^{_LABEL}$")
    trust_domain: str = Field(default="cluster.local", pattern=r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$")
