"""What an access log line says about the mesh: which side wrote it, who was reached, who called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from connectors.sources.untrusted import address, text_at

UNREGISTERED: Final = frozenset({"PassthroughCluster", "AllowAnyDynamicDNSCluster"})
REFUSED: Final = frozenset({"BlackHoleCluster", "block_all"})
_SPIFFE: Final = "spiffe://"


def direction(fields: Mapping[str, Any]) -> Literal["inbound", "outbound", ""]:
    """Return which side of the call wrote the line, by its cluster."""
    cluster = text_at(fields, "upstream_cluster") or ""
    if cluster.startswith(("inbound|", "InboundPassthroughCluster")):
        return "inbound"
    if cluster.startswith("outbound|") or cluster in UNREGISTERED or cluster in REFUSED:
        return "outbound"
    if text_at(fields, "route_name") in REFUSED or fields.get("reporter") == "source":
        return "outbound"
    return "inbound" if fields.get("reporter") == "destination" else ""


def refused_by_mesh(fields: Mapping[str, Any]) -> bool:
    """Return whether the mesh sent the call nowhere; HTTP tells by its route, TCP by its cluster."""
    return text_at(fields, "upstream_cluster") in REFUSED or text_at(fields, "route_name") in REFUSED


@lru_cache(maxsize=4096)
def hostname(text: str | None) -> str | None:
    """Return the lower-case host or canonical address of an authority, without port and user."""
    if not text:
        return None
    ip = address(text)
    if ip:
        return ip
    return text.lower().rpartition("@")[2].partition(":")[0].rstrip(".") or None


def peer_host(fields: Mapping[str, Any]) -> str | None:
    """Return the service name of a registered cluster, else the host that the caller asked for.

    A call that left the mesh under the name of a service inside it goes by the address that it really
    reached: the caller writes the name.
    """
    cluster = text_at(fields, "upstream_cluster") or ""
    if cluster.startswith("outbound|"):
        return hostname(cluster.rpartition("|")[2])
    if cluster in UNREGISTERED and ".svc" in (text_at(fields, "authority") or "").lower():
        return hostname(text_at(fields, "upstream_host"))
    for key in ("authority", "requested_server_name", "upstream_host", "downstream_local_address"):
        host = hostname(text_at(fields, key))
        if host:
            return host
    return None


def service_account(fields: Mapping[str, Any], key: str) -> str | None:
    """Return NAMESPACE/NAME of the SPIFFE name `spiffe://DOMAIN/ns/NAMESPACE/sa/NAME` in `key`."""
    name = text_at(fields, key) or ""
    parts = name.removeprefix(_SPIFFE).split("/")
    if not name.startswith(_SPIFFE) or len(parts) != 5 or parts[1] != "ns" or parts[3] != "sa":
        return None
    return f"{parts[2]}/{parts[4]}"
