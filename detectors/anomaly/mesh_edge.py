"""First-seen edges of the mesh: a workload reaches a host that it never reached before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from detectors.anomaly.model import Novelty
from detectors.level import Level
from detectors.wording import listed, plain

RULE_ID: Final = "davylamp-first-seen-mesh-edge"


class MeshEdge:
    """High for a host that the mesh does not know (it left by PassthroughCluster), else medium."""

    name: str = "mesh_edge"
    rule_id: str = RULE_ID
    version: int = 1
    title: str = "Workload reached a host for the first time"
    source: str = "istio_access"
    attack: tuple[str, ...] = ("T1041", "T1071")
    labels: Mapping[str, str] = MappingProxyType({"playbook": "mesh-downgrade"})

    def level(self, novelty: Novelty) -> Level:
        """Return high for an unregistered host, medium for a registered one."""
        return "high" if novelty.outside else "medium"

    def explain(self, novelty: Novelty) -> str:
        """Return for example: workload a/b reached host x for the first time; in 8.0 days ... ."""
        hosts = listed([name for _, name in novelty.known])
        many = len(novelty.known)
        return (
            f"{novelty.subject[0]} {plain(novelty.subject[1])} reached {novelty.peer[0]} "
            f"{plain(novelty.peer[1])}{', unknown to the mesh,' if novelty.outside else ''} "
            f"for the first time; in {novelty.days:.1f} days it had reached "
            f"{many} host{'' if many == 1 else 's'}{': ' if many else ''}{hosts}"
        )
