"""Who stands on the two ends of an Envoy access log line, and the contact that it proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from connectors.sources.istio_mesh import direction, hostname, peer_host, service_account, unregistered
from connectors.sources.istio_peer import connected
from connectors.sources.untrusted import address, entity, integer_at, text_at
from detectors.event import Contact, Entity, EntityType, Event

REACHED: Final = "via_upstream"
KEPT: Final = 1024
_Name: TypeAlias = tuple[EntityType, str]


def callers(event: Event) -> list[Entity]:
    """Return who called: the certificate's service account or the proxy's own workload, then the address.

    An address that only a header states is none (`istio_peer`).
    """
    fields = event.fields
    client = address(connected(fields))
    source = [Entity("address", client, "source")] if client else []
    if direction(fields) == "inbound":
        peer = service_account(fields, "downstream_peer_uri_san")
        return [entity("service_account", peer, "actor"), *source] if peer else source
    own = subject(event)
    return [own, *source] if own else source


def targets(event: Event) -> list[Entity]:
    """Return what was reached: behind a server's proxy itself and its name, else the peer's name."""
    if direction(event.fields) == "inbound":
        return served(event)
    host = peer_host(event.fields)
    return [entity("host", host, "target")] if host else []


def served(event: Event) -> list[Entity]:
    """Return what a server-side line protects: its own workload, and the name it was called by."""
    fields = event.fields
    own = _own_workload(event)
    found = [Entity(own.type, own.id, "target")] if own else []
    called = text_at(fields, "requested_server_name") or ""
    name = hostname(called.rpartition("_.")[2] or None) or hostname(text_at(fields, "authority"))
    return [*found, entity("host", name, "target")] if name else found


def subject(event: Event) -> Entity | None:
    """Return who a client-side line is about: the proxy's workload, else the proxy's own address."""
    own = _own_workload(event)
    if own:
        return own
    ip = address(text_at(event.fields, "upstream_local_address")) or address(connected(event.fields))
    return Entity("address", ip, "source") if ip else None


def called_out(event: Event) -> Sequence[Contact]:
    """Return the edge of a client-side line whose call came about; bytes_out is what the caller sent."""
    fields = event.fields
    peer, own = peer_host(fields), subject(event)
    if not peer or own is None:
        return ()
    host = ("host", entity("host", peer, "target").id)
    return (Contact("mesh_edge", own[:2], host, _sent(fields), unregistered(fields)),)


def reached(fields: Mapping[str, Any]) -> bool:
    """Return whether the peer itself answered: even 4xx is a contact, a refusal by the mesh is none."""
    return fields.get("response_code_details") == REACHED


def called_service(event: Event, cluster: str) -> Sequence[Contact]:
    """Return `called_out` of the usual line, a call to a service of the mesh: its names repeat, are kept."""
    fields, origin = event.fields, event.origin
    place: Mapping[str, Any] = origin if "workload" in origin and "namespace" in origin else fields
    namespace, workload = place.get("namespace"), place.get("workload")
    if type(namespace) is not str or type(workload) is not str or not namespace or not workload:
        return called_out(event)
    if len(namespace) + len(workload) + len(cluster) > KEPT:
        return called_out(event)
    edge = mesh_edge(namespace, workload, cluster)
    return (Contact(*edge, _sent(fields)),) if edge else ()


def _sent(fields: Mapping[str, Any]) -> int:
    """Received by the proxy, so sent by its caller."""
    sent = fields.get("bytes_received")
    if type(sent) is not int:
        sent = integer_at(fields, "bytes_received") or 0
    return max(0, sent)


@lru_cache(maxsize=4096)
def mesh_edge(namespace: str, workload: str, cluster: str) -> tuple[str, _Name, _Name] | None:
    """Return model, subject and peer of a call to a service of the mesh; all three texts at most `KEPT`."""
    host = hostname(cluster.rpartition("|")[2].rstrip(";"))
    who = entity("workload", f"{namespace}/{workload}", "actor")[:2]
    return ("mesh_edge", who, entity("host", host, "target")[:2]) if host else None


def _own_workload(event: Event) -> Entity | None:
    """The workload whose proxy wrote the line, as the log shipper or the format says."""
    places: tuple[Mapping[str, Any], ...] = (event.origin, event.fields)
    for place in places:
        namespace, workload = place.get("namespace"), place.get("workload")
        if isinstance(namespace, str) and isinstance(workload, str) and namespace and workload:
            return entity("workload", f"{namespace}/{workload}", "actor")
    return None
