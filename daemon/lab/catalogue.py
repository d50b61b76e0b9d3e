"""Every technique and look-alike by kind of source. A new family: its file in `techniques/`, a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from daemon.lab.look_alikes import cloudtrail, istio_access, kubernetes_audit, vault_audit
from daemon.lab.stage import CLOUDTRAIL, ISTIO, KUBERNETES, VAULT, Technique
from daemon.lab.techniques import (
    aws_data,
    aws_identity,
    aws_logging,
    aws_machines,
    kubernetes_guards,
    kubernetes_pods,
    kubernetes_rights,
    mesh_egress,
    mesh_gateway,
    mesh_inside,
    vault_secrets,
    vault_takeover,
)

TECHNIQUES: Final[Mapping[str, tuple[Technique, ...]]] = MappingProxyType(
    {
        CLOUDTRAIL: (
            *aws_logging.TECHNIQUES,
            *aws_identity.TECHNIQUES,
            *aws_data.TECHNIQUES,
            *aws_machines.TECHNIQUES,
        ),
        KUBERNETES: (
            *kubernetes_rights.TECHNIQUES,
            *kubernetes_guards.TECHNIQUES,
            *kubernetes_pods.TECHNIQUES,
        ),
        ISTIO: (*mesh_inside.TECHNIQUES, *mesh_gateway.TECHNIQUES, *mesh_egress.TECHNIQUES),
        VAULT: (*vault_takeover.TECHNIQUES, *vault_secrets.TECHNIQUES),
    }
)
LOOK_ALIKES: Final[Mapping[str, tuple[Technique, ...]]] = MappingProxyType(
    {
        CLOUDTRAIL: cloudtrail.LOOK_ALIKES,
        KUBERNETES: kubernetes_audit.LOOK_ALIKES,
        ISTIO: istio_access.LOOK_ALIKES,
        VAULT: vault_audit.LOOK_ALIKES,
    }
)


def everything() -> tuple[Technique, ...]:
    """Return all of both, in the order of the catalogue."""
    return tuple(one for kind in TECHNIQUES for one in (*TECHNIQUES[kind], *LOOK_ALIKES[kind]))
