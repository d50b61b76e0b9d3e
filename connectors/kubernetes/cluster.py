"""A client of the cluster that an operator described."""

from __future__ import annotations

from config.cluster import Cluster
from connectors.kubernetes.client import KubernetesClient

__all__ = ["Cluster", "client_of"]


def client_of(cluster: Cluster) -> KubernetesClient:
    """Return a client. Raises OSError or ssl.SSLError when the authority's file cannot be read."""
    return KubernetesClient(
        cluster.address, cluster.token.reveal, ca_file=cluster.ca_file, timeout_s=cluster.timeout_s
    )
