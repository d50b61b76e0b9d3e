"""How a cluster is reached, as an operator says it; the defaults are what a pod is given.

Kubernetes, "Accessing the Kubernetes API from a Pod". The token's file is read again for each call, because
the kubelet writes a new token into it long before the old one ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from config.secret import Secret
from config.section import Section

FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Cluster(Section):
    """An API server, its authority and our own account there. `timeout_s` bounds one call."""

    address: str = Field(default="https://kubernetes.default.svc", pattern=r"^https://[^\s/@]+$")
    token: Secret = Secret(file=FOLDER / "token")
    ca_file: Path | None = FOLDER / "ca.crt"
    timeout_s: float = Field(default=5.0, gt=0, le=30)
