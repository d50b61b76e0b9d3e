"""The API servers of synced Secrets, each opened once."""

from __future__ import annotations

from connectors.kubernetes.client import KubernetesClient
from connectors.kubernetes.cluster import Cluster, client_of


class Clusters:
    """Clients by the cluster that an operator described."""

    def __init__(self) -> None:
        self._clients: dict[Cluster, KubernetesClient] = {}

    def client(self, cluster: Cluster) -> KubernetesClient:
        """Return the client of `cluster`. Raises OSError or ssl.SSLError as `client_of`."""
        found = self._clients.get(cluster)
        if found is None:
            found = self._clients[cluster] = client_of(cluster)
        return found

    def close(self) -> None:
        """Give the connections back."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
