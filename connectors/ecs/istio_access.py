"""Istio access logs in ECS. Received is the request's body, sent the response's (Envoy's definition)."""

from __future__ import annotations

from typing import Any, Final

from connectors.ecs.head import distinct, endpoint, head, ip_of, label, place, word, words
from connectors.ecs.moment import moment
from connectors.ecs.shown import shown
from connectors.ecs.tls import tls_fields
from connectors.ecs.url import host_and_port, parts
from connectors.ecs.ztunnel import document as ztunnel_document
from connectors.sources.istio_denial import denied, denying_policy
from connectors.sources.istio_mesh import direction, hostname, refused_by_mesh, service_account
from connectors.sources.istio_peer import claimed as claimed_address
from connectors.sources.istio_peer import connected
from connectors.sources.untrusted import integer_at
from connectors.sources.ztunnel import is_ztunnel
from detectors.event import Event

_INTERNAL: Final = "envoy://"
_DIRECTIONS: Final = {"inbound": "ingress", "outbound": "egress"}
_WRITER: Final = (("namespace", "namespace"), ("workload", "workload"), ("pod", "pod"))
_WHY: Final = (
    "upstream_transport_failure_reason",
    "connection_termination_details",
    "response_code_details",
)


def document(event: Event) -> dict[str, Any]:
    """Return the ECS document of an access log line, of Envoy or of ztunnel."""
    if is_ztunnel(event.fields):
        return ztunnel_document(event)
    fields, text = shown(event.fields)
    get = fields.get
    out, about = head(event, text, "istio", "istio.access_logs")
    method, path = word(get("method")), word(get("path"))
    side = direction(fields)
    about["provider"] = "envoy"
    about["action"] = method or "connection"
    _kind(fields, method, about, out)
    duration = _count(fields, "duration")
    if duration is not None and duration < 1 << 40:
        about["duration"] = duration * 1_000_000
        about["start"] = out["@timestamp"]
        about["end"] = moment(event.time + duration / 1000) if duration else out["@timestamp"]
    network: dict[str, Any] = {"transport": "tcp"}
    if side:
        network["direction"] = _DIRECTIONS[side]
    out["network"] = network
    received, sent = _count(fields, "bytes_received"), _count(fields, "bytes_sent")
    if method:
        network["protocol"] = "http"
        out["http"] = _http(fields, method, received, sent)
    url = {**(parts(path) if path else {}), **host_and_port(get("authority"))}
    if url:
        out["url"] = url
    agent = word(get("user_agent"))
    if agent:
        out["user_agent"] = {"original": agent}
    _ends(fields, received, sent, out, network, url.get("domain"))
    _tls(fields, out)
    if about["outcome"] == "failure":
        said = next((text for key in _WHY if (text := word(get(key))) and text != "via_upstream"), None)
        if said:
            out["error"] = {"message": said}
    writer = words(get, _WRITER)
    _writer({**writer, **words(event.origin.get, _WRITER)} if event.origin else writer, out)
    out["istio"] = {"access": {key: value for key, value in fields.items() if value is not None}}
    if event.origin:
        place(out, event.origin)
    return out


def _kind(fields: dict[str, Any], method: str | None, about: dict[str, Any], out: dict[str, Any]) -> None:
    """Denied is what a policy or the mesh refused; a failure of the peer is an error, no denial."""
    refused = about["outcome"] == "failure" and (denied(fields) or refused_by_mesh(fields))
    about["category"] = ["web", "network"] if method else ["network"]
    kinds = ["access", "connection"] if method else ["connection", "end"]
    if refused:
        kinds.append("denied")
        policy = word(denying_policy(fields))
        if policy:
            out["rule"] = {"name": policy, "category": "authorization policy"}
    elif about["outcome"] == "success":
        kinds.append("allowed")
    if method and about["outcome"] == "failure" and not refused:
        kinds.append("error")
    about["type"] = kinds


def _count(fields: dict[str, Any], key: str) -> int | None:
    value = fields.get(key)
    if type(value) is not int:
        value = integer_at(fields, key)
    return value if value is not None and 0 <= value < 1 << 62 else None


def _http(fields: dict[str, Any], method: str, received: int | None, sent: int | None) -> dict[str, Any]:
    request: dict[str, Any] = {"method": method}
    ident = word(fields.get("request_id"))
    if ident:
        request["id"] = ident
    if received is not None:
        request["body"] = {"bytes": received}
    response: dict[str, Any] = {}
    code = _count(fields, "response_code")
    if code and code < 1000:
        response["status_code"] = code
    if sent is not None:
        response["body"] = {"bytes": sent}
    http: dict[str, Any] = {"request": request}
    if response:
        http["response"] = response
    protocol = fields.get("protocol")
    version = protocol.partition("/")[2] if isinstance(protocol, str) else ""
    if version:
        http["version"] = version[:16]
    return http


def _ends(
    fields: dict[str, Any],
    received: int | None,
    sent: int | None,
    out: dict[str, Any],
    network: dict[str, Any],
    domain: str | None,
) -> None:
    """Source, destination and what is related to them. Forwarded addresses are the caller's claim."""
    get = fields.get
    source, destination = (
        endpoint(connected(fields)),
        endpoint(_behind(get("upstream_host")) or get("downstream_local_address")),
    )
    claimed = get("x_forwarded_for")
    forwarded = _forwarded(claimed) if isinstance(claimed, str) and claimed else []
    claim = claimed_address(fields)
    if claim:
        label(out, "claimed_address", claim)
        forwarded.insert(0, claim)
    if forwarded and forwarded[0]:
        network["forwarded_ip"] = forwarded[0]
    local = (ip_of(get("downstream_local_address")), ip_of(get("upstream_local_address")))
    related: dict[str, Any] = {}
    addresses = distinct(source.get("ip"), destination.get("ip"), *local, *forwarded)
    if addresses:
        related["ip"] = addresses
    cluster = get("upstream_cluster")
    if isinstance(cluster, str) and cluster.startswith("outbound|"):
        service = word(hostname(cluster.rpartition("|")[2]))
        if service:
            destination["domain"] = service
    hosts = distinct(domain, destination.get("domain"))
    if hosts:
        related["hosts"] = hosts
    caller = word(service_account(fields, "downstream_peer_uri_san"))
    peer = word(service_account(fields, "upstream_peer_uri_san"))
    if caller:
        out["user"] = {"name": caller}
    if peer:
        destination["user"] = {"name": peer}
    users = distinct(caller, peer)
    if users:
        related["user"] = users
    if received is not None:
        source["bytes"] = received
    if sent is not None:
        destination["bytes"] = sent
    if received is not None and sent is not None:
        network["bytes"] = received + sent
    for name, part in (("source", source), ("destination", destination), ("related", related)):
        if part:
            out[name] = part


def _behind(host: Any) -> Any:
    """The address behind an internal listener: `envoy://connect_originate/10.0.0.1:8080` (HBONE)."""
    inside = isinstance(host, str) and host.startswith(_INTERNAL)
    return host.removeprefix(_INTERNAL).partition("/")[2] if inside else host


def _forwarded(claimed: str) -> list[str | None]:
    return [ip_of(part.strip()) for part in claimed[:1024].split(",")][:8]


def _tls(fields: dict[str, Any], out: dict[str, Any]) -> None:
    get = fields.get
    version, cipher = word(get("downstream_tls_version")), word(get("downstream_tls_cipher"))
    tls = tls_fields(
        version, cipher, word(get("requested_server_name")), word(get("downstream_peer_uri_san"))
    )
    if tls:
        out["tls"] = tls


def _writer(known: dict[str, Any], out: dict[str, Any]) -> None:
    """The workload whose proxy wrote the line."""
    if "namespace" in known:
        out["orchestrator"] = {"type": "kubernetes", "namespace": known["namespace"]}
        if "pod" in known:
            out["orchestrator"]["resource"] = {"type": "pods", "name": known["pod"]}
    if "workload" in known:
        out["service"] = {"name": known["workload"]}
