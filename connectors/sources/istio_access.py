"""Istio sidecar and gateway access logs: JSON encoding and the default TEXT format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from connectors.ecs.istio_access import document
from connectors.ecs.redaction import redact_text
from connectors.sources.istio_mesh import (
    UNREGISTERED,
    direction,
    hostname,
    peer_host,
    refused_by_mesh,
    service_account,
)
from connectors.sources.istio_text import looks_like_line, normalise, parse_line
from connectors.sources.moment import seconds
from connectors.sources.reject import Reason, Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import address, clean, distinct, entity, integer_at, text_at
from detectors.event import Alias, Contact, Entity, EntityType, Event, Json, Locator, LogSource, Outcome
from detectors.identifier import digest16, source_id

_FAILURE_FLAGS: Final = frozenset(
    {
        "UAEX",
        "RL",
        "RLSE",
        "NR",
        "NC",
        "UH",
        "UF",
        "URX",
        "DPE",
        "IH",
        "UPE",
        "DI",
        "FI",
        "OM",
        "UT",
        "UC",
        "LR",
    }
)
_DENIED: Final = "rbac_access_denied"


class IstioAccess:
    """One access log line an event. Event time is `start_time`, the start of the request."""

    kind: str = "istio_access"
    logsources: tuple[LogSource, ...] = (
        LogSource("istio", "access", None),
        LogSource(None, None, "webserver"),
        LogSource(None, None, "proxy"),
    )
    aliases: Mapping[str, str] = MappingProxyType(
        {
            "cs-method": "method",
            "cs-uri-stem": "path",
            "cs-uri-query": "path",
            "c-uri": "path",
            "cs-host": "authority",
            "cs-user-agent": "user_agent",
            "c-useragent": "user_agent",
            "sc-status": "response_code",
            "c-ip": "downstream_remote_address",
        }
    )

    def recognise(self, value: Json) -> bool:
        """Return whether `value` has the keys of Istio's JSON encoding."""
        return isinstance(value, dict) and "start_time" in value and "response_code" in value

    def recognise_line(self, line: bytes) -> bool:
        """Return whether `line` begins as the TEXT format does."""
        return looks_like_line(line)

    def parse(self, value: Any, locator: Locator, origin: Mapping[str, str] = NOWHERE) -> Event:
        """Return the event of a JSON object, or of a TEXT line (bytes or text). Raises Reject."""
        if isinstance(value, dict):
            normalise(value)
            return Event(self, seconds(value.get("start_time"), "start_time"), value, locator, origin)
        if isinstance(value, str):
            value = value.encode("utf-8", "replace")
        if not isinstance(value, bytes):
            raise Reject(Reason.WRONG_TYPE, "an access log entry is an object or a line")
        fields = parse_line(value)
        return Event(self, seconds(fields["start_time"], "start_time"), fields, locator, origin)

    def event_id(self, event: Event) -> str:
        """Return REQUESTID/h; both sidecars and every retry log under one request id."""
        fields = event.fields
        request = text_at(fields, "request_id")
        if not request:
            return str(event.locator)
        mark = digest16(
            request,
            text_at(fields, "start_time") or "",
            direction(fields),
            text_at(fields, "upstream_host") or "",
            text_at(fields, "downstream_remote_address") or "",
        )
        return f"{source_id(request)}/{mark}"

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return the caller first (workload, service account or address), then what it reached."""
        fields = event.fields
        callers = _callers(event)
        host = peer_host(fields) if direction(fields) != "inbound" else None
        targets = [entity("host", host, "target")] if host else []
        if direction(fields) == "inbound":
            targets = _served(event)
        found = distinct([*callers, *targets])
        if callers and targets:
            found.append(entity("edge", f"{callers[0].id} -> {targets[0].id}", "target"))
        return found

    def outcome(self, event: Event) -> Outcome:
        """Return failure on a code of 400 or more, a denial, a refusal or a failure flag."""
        fields = event.fields
        details = text_at(fields, "response_code_details") or ""
        ended = text_at(fields, "connection_termination_details") or ""
        if _DENIED in details or _DENIED in ended:
            return "failure"
        if refused_by_mesh(fields):
            return "failure"
        if _FAILURE_FLAGS.intersection((text_at(fields, "response_flags") or "").split(",")):
            return "failure"
        code = integer_at(fields, "response_code") or 0
        if code:
            return "success" if code < 400 else "failure"
        return "unknown" if text_at(fields, "method") else "success"

    def summary(self, event: Event) -> str:
        """Return who reached what with which answer."""
        fields = event.fields
        callers = _callers(event)
        who = f"{callers[0].type} {clean(callers[0].id)}" if callers else "an unknown caller"
        served = _served(event)
        peer = peer_host(fields) if direction(fields) != "inbound" else served[0].id if served else None
        method = text_at(fields, "method")
        path = redact_text((text_at(fields, "path") or "").partition("?")[0])
        what = f"{clean(method)} {clean(path)} on " if method else "a connection to "
        code = integer_at(fields, "response_code")
        denied = " and was denied" if _DENIED in str(fields.get("response_code_details")) else ""
        return f"{who} made {what}{clean(peer or 'an unknown host')} (code {code or 'none'}){denied}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Access logs prove no alias: addresses in them may come from headers."""
        return ()

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return the edge of a client-side line that was not refused; bytes_out is what the caller sent."""
        fields = event.fields
        cluster = fields.get("upstream_cluster")
        if isinstance(cluster, str):
            if cluster.startswith("inbound|"):
                return ()
            if cluster.startswith("outbound|") and _reached(fields):
                return _registered(event, cluster)
        if direction(fields) != "outbound":
            return ()
        if not _reached(fields) and self.outcome(event) == "failure":
            return ()
        peer = peer_host(fields)
        subject = _subject(event)
        if not peer or subject is None:
            return ()
        sent = integer_at(fields, "bytes_received") or 0
        host = ("host", entity("host", peer, "target").id)
        outside = text_at(fields, "upstream_cluster") in UNREGISTERED
        return (Contact("mesh_edge", subject[:2], host, max(0, sent), outside),)

    def ecs(self, event: Event) -> dict[str, Any]:
        """Return the ECS document."""
        return document(event)


def _registered(event: Event, cluster: str) -> Sequence[Contact]:
    """The usual line, a call to a service of the mesh that answered: its names repeat, so they are kept."""
    fields, origin = event.fields, event.origin
    place: Mapping[str, Any] = origin if "workload" in origin and "namespace" in origin else fields
    namespace, workload = place.get("namespace"), place.get("workload")
    if type(namespace) is str and type(workload) is str and namespace and workload:
        subject = _workload_name(namespace, workload)
    else:
        own = _subject(event)
        if own is None:
            return ()
        subject = own[:2]
    peer = _cluster_host(cluster)
    sent = fields.get("bytes_received")
    if type(sent) is not int:
        sent = integer_at(fields, "bytes_received") or 0
    return (Contact("mesh_edge", subject, peer, max(0, sent)),) if peer else ()


@lru_cache(maxsize=4096)
def _workload_name(namespace: str, workload: str) -> tuple[EntityType, str]:
    return entity("workload", f"{namespace}/{workload}", "actor")[:2]


@lru_cache(maxsize=4096)
def _cluster_host(cluster: str) -> tuple[EntityType, str] | None:
    host = hostname(cluster.rpartition("|")[2])
    return entity("host", host, "target")[:2] if host else None


def _reached(fields: Mapping[str, Any]) -> bool:
    """An answer of the peer itself, even 4xx, is a contact; a refusal by the mesh is none."""
    return fields.get("response_code_details") == "via_upstream"


def _own_workload(event: Event) -> Entity | None:
    """The workload whose proxy wrote the line, as the log shipper or the format says."""
    places: tuple[Mapping[str, Any], ...] = (event.origin, event.fields)
    for place in places:
        namespace, workload = place.get("namespace"), place.get("workload")
        if isinstance(namespace, str) and isinstance(workload, str) and namespace and workload:
            return entity("workload", f"{namespace}/{workload}", "actor")
    return None


def _subject(event: Event) -> Entity | None:
    """Who a client-side line is about: the proxy's workload, else the proxy's own address."""
    own = _own_workload(event)
    if own:
        return own
    for key in ("upstream_local_address", "downstream_remote_address"):
        ip = address(text_at(event.fields, key))
        if ip:
            return Entity("address", ip, "source")
    return None


def _callers(event: Event) -> list[Entity]:
    fields = event.fields
    client = address(text_at(fields, "downstream_remote_address"))
    source = [Entity("address", client, "source")] if client else []
    if direction(fields) == "inbound":
        peer = service_account(fields, "downstream_peer_uri_san")
        return [*([entity("service_account", peer, "actor")] if peer else []), *source]
    subject = _subject(event)
    return [*([subject] if subject else []), *source]


def _served(event: Event) -> list[Entity]:
    """What a server-side line protects: its own workload, and the name it was called by."""
    own = _own_workload(event)
    found = [Entity(own.type, own.id, "target")] if own else []
    called = text_at(event.fields, "requested_server_name") or ""
    name = hostname(called.rpartition("_.")[2] or None) or hostname(text_at(event.fields, "authority"))
    return [*found, entity("host", name, "target")] if name else found
