"""What an access log line says about the mesh: which side wrote it, who was reached, who called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

from connectors.sources.untrusted import address, text_at

UNREGISTERED: Final = frozenset({"PassthroughCluster", "AllowAnyDynamicDNSCluster"})
REFUSED: Final = frozenset({"BlackHoleCluster", "block_all"})
UNREGISTERED_ROUTES: Final = frozenset({"allow_any", "allow_any_dynamic_dns"})
_SERVER_SIDE: Final = ("inbound|", "inbound-vip|", "inbound-pod|", "InboundPassthroughCluster")
_SPIFFE: Final = "spiffe://"
_INTERNAL: Final = "envoy://"
_KEPT: Final = 1024
"""Texts up to this length are kept in caches, so that a caller cannot fill the memory with them."""


def direction(fields: Mapping[str, Any]) -> Literal["inbound", "outbound", ""]:
    """Return which side of the call wrote the line, by its cluster, its route, or `reporter` if it has one.

    A waypoint's clusters to the pods behind it (`inbound-vip|`, `inbound-pod|`) are the server's side.
    """
    cluster = fields.get("upstream_cluster")
    if isinstance(cluster, str) and cluster:
        if cluster.startswith("outbound|"):
            return "outbound"
        if cluster.startswith(_SERVER_SIDE):
            return "inbound"
        if cluster in UNREGISTERED or cluster in REFUSED:
            return "outbound"
    route, reporter = fields.get("route_name"), fields.get("reporter")
    if isinstance(route, str) and (route in REFUSED or route in UNREGISTERED_ROUTES):
        return "outbound"
    return "outbound" if reporter == "source" else "inbound" if reporter == "destination" else ""


def unregistered(fields: Mapping[str, Any]) -> bool:
    """Return whether the call left to a host that the mesh does not know."""
    if text_at(fields, "upstream_cluster") in UNREGISTERED:
        return True
    return not fields.get("upstream_cluster") and text_at(fields, "route_name") in UNREGISTERED_ROUTES


def refused_by_mesh(fields: Mapping[str, Any]) -> bool:
    """Return whether the mesh sent the call nowhere; HTTP tells by its route, TCP by its cluster."""
    cluster, route = fields.get("upstream_cluster"), fields.get("route_name")
    return (isinstance(cluster, str) and cluster in REFUSED) or (isinstance(route, str) and route in REFUSED)


def hostname(text: str | None) -> str | None:
    """Return the lower-case host or canonical address of an authority, without port and user.

    Of an internal listener (`envoy://connect_originate/10.0.0.1:80`, HBONE) it is the address behind it.
    """
    if not text:
        return None
    return _known_hostname(text) if len(text) <= _KEPT else _hostname(text)


def _hostname(text: str) -> str | None:
    if text.startswith(_INTERNAL):
        return address(text.removeprefix(_INTERNAL).partition("/")[2])
    ip = address(text)
    if ip:
        return ip
    return text.lower().rpartition("@")[2].partition(":")[0].rstrip(".") or None


_known_hostname: Final = lru_cache(maxsize=4096)(_hostname)


def peer_host(fields: Mapping[str, Any]) -> str | None:
    """Return the service name of a registered cluster, else the host that the caller asked for.

    A call that left the mesh under the name of a service inside it goes by the address that it really
    reached: the caller writes the name.
    """
    cluster = text_at(fields, "upstream_cluster") or ""
    if cluster.startswith("outbound|"):
        return hostname(cluster.rpartition("|")[2].rstrip(";"))
    if unregistered(fields) and ".svc" in (text_at(fields, "authority") or "").lower():
        return hostname(text_at(fields, "upstream_host"))
    for key in ("authority", "requested_server_name", "upstream_host", "downstream_local_address"):
        host = hostname(text_at(fields, key))
        if host:
            return host
    return None


def service_account(fields: Mapping[str, Any], key: str) -> str | None:
    """Return NAMESPACE/NAME of the first SPIFFE name in `key`."""
    return service_account_of(text_at(fields, key))


def service_account_of(name: str | None) -> str | None:
    """Return NAMESPACE/NAME of the SPIFFE name `spiffe://DOMAIN/ns/NAMESPACE/sa/NAME`, or None.

    A certificate may name several; the first that has this form is the caller's.
    """
    return _service_account(name[:_KEPT]) if name else None


@lru_cache(maxsize=4096)
def _service_account(names: str) -> str | None:
    for name in names.split(","):
        parts = name.strip().removeprefix(_SPIFFE).split("/")
        if name.strip().startswith(_SPIFFE) and len(parts) == 5 and parts[1] == "ns" and parts[3] == "sa":
            return f"{parts[2]}/{parts[4]}"
    return None
