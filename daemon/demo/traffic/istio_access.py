"""Istio access logs on an ordinary week: the default TEXT in some namespaces, JSON in others.

The JSON lines carry three keys beyond the default (`reporter`, `workload`, `namespace`) and the peers'
SPIFFE names, as a Telemetry resource adds them; the TEXT lines carry what the default format has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, Final

from daemon.demo.traffic.platform import Platform, Pod, Workload
from daemon.demo.traffic.record import ISTIO, Body, Record, merged, moments, new_uuid, record, rfc3339

TEXT_NAMESPACES: Final = frozenset({"frontend", "reporting", "istio-system"})
_PATHS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "api-gateway": (("GET", "/api/v1/properties?city=lisbon"), ("GET", "/api/v1/properties/{}")),
    "property-api": (("GET", "/properties/{}"), ("GET", "/properties?bbox=4.2,52.0,4.4,52.2")),
    "search": (("GET", "/search?q=garden"), ("GET", "/suggest?q=ro")),
    "analytics-api": (("GET", "/api/v1/analytics/prices?region={}"), ("POST", "/api/v1/analytics/query")),
    "web-portal": (("GET", "/"), ("GET", "/properties/{}"), ("GET", "/static/app.js")),
    "source-controller": (("GET", "/gitrepository/flux-system/terraminer-gitops/latest.tar.gz"),),
}  # fmt: skip
_AGENTS: Final[Mapping[str, str]] = {
    "web-portal": "axios/1.12.2",
    "istio-ingressgateway": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15",
    "prometheus": "Prometheus/3.7.1",
    "notebook": "python-requests/2.32.5",
}
_TEXT_KEYS: Final = (
    "authority",
    "connection_termination_details",
    "downstream_local_address",
    "downstream_remote_address",
    "method",
    "path",
    "protocol",
    "request_id",
    "requested_server_name",
    "response_code_details",
    "route_name",
    "upstream_cluster",
    "upstream_host",
    "upstream_local_address",
    "upstream_service_time",
    "upstream_transport_failure_reason",
    "user_agent",
    "x_forwarded_for",
)
_TCP_PORTS: Final = frozenset({5432, 9092})


def line(at: float, source: Workload | None, pod: Pod, **more: Any) -> Body:
    """Return one line of a sidecar with every default key; what does not apply is null."""
    base: Body = {
        **dict.fromkeys(_TEXT_KEYS),
        "start_time": rfc3339(at, 3),
        "response_code": 0,
        "response_flags": "-",
        "bytes_received": 0,
        "bytes_sent": 0,
        "duration": 0,
        "pod": pod.name,
        "namespace": pod.namespace,
        "workload": source.name if source else None,
        "downstream_peer_uri_san": None,
        "upstream_peer_uri_san": None,
    }
    return merged(base, **more)


def text(body: Body) -> bytes:
    """Return `body` in Istio's default TEXT format (1.9 and later)."""

    def say(key: str) -> str:
        value = body[key]
        return "-" if value is None else str(value)

    def quoted(key: str) -> str:
        return f'"{say(key)}"'

    request = f'"{say("method")} {say("path")} {say("protocol")}"'
    words = [f"[{body['start_time']}]", request]
    words += [say(k) for k in ("response_code", "response_flags", "response_code_details")]
    words += [say("connection_termination_details"), quoted("upstream_transport_failure_reason")]
    words += [say(k) for k in ("bytes_received", "bytes_sent", "duration", "upstream_service_time")]
    words += [
        quoted(k) for k in ("x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host")
    ]
    words += [say(k) for k in ("upstream_cluster", "upstream_local_address", "downstream_local_address")]
    words += [say(k) for k in ("downstream_remote_address", "requested_server_name", "route_name")]
    return " ".join(words).encode()


def written(at: float, body: Body) -> Record:
    """Return the record of a line, in the format of its namespace."""
    if body["namespace"] in TEXT_NAMESPACES:
        return Record(at, ISTIO, text(body) + b"\n")
    return record(ISTIO, at, body)


def records(platform: Platform, rng: Random, begin: float, end: float, count: int) -> Iterator[Record]:
    """Yield about `count` records in order of time; in the first hour every pair of the mesh is seen.

    A call inside the mesh gives two lines: the caller's and the called side's.
    """
    pairs = [(w, peer) for w in platform.workloads for peer in (*w.calls, *w.outside, *w.strays)]
    opening = [(begin + 3600 * i / len(pairs) / 2, *pair) for i, pair in enumerate(pairs * 2)]
    times = moments(rng, begin + 3600, end, int(count / 1.75) - len(opening))
    calls = [*opening, *((at, *rng.choice(pairs)) for at in times)]
    for at, workload, peer in calls:
        for body in _call(platform, rng, at, workload, peer):
            yield written(at, body)


def _call(platform: Platform, rng: Random, at: float, workload: Workload, peer: str) -> list[Body]:
    pod = rng.choice(workload.pods)
    if peer in workload.outside:
        return [outward(rng, at, workload, pod, peer, f"outbound|443||{peer}", rng.randint(600, 9000))]
    if peer in workload.strays:
        return [outward(rng, at, workload, pod, peer, "PassthroughCluster", rng.randint(600, 9000))]
    return _inside(rng, at, workload, pod, platform.workload(peer))


def outward(rng: Random, at: float, workload: Workload, pod: Pod, host: str, cluster: str, sent: int) -> Body:
    """Return a TLS connection from `pod` to `host` outside the mesh; `sent` bytes went out."""
    address = f"192.0.2.{sum(host.encode()) % 120 + 8}"
    return line(
        at,
        workload,
        pod,
        reporter="source",
        upstream_cluster=cluster,
        upstream_host=f"{address}:443",
        upstream_local_address=f"{pod.address}:{rng.randint(32768, 60999)}",
        downstream_local_address=f"{address}:443",
        downstream_remote_address=f"{pod.address}:{rng.randint(32768, 60999)}",
        requested_server_name=host,
        bytes_received=sent,
        bytes_sent=rng.randint(2000, 40_000),
        duration=rng.randint(20, 900),
    )


def _inside(rng: Random, at: float, workload: Workload, pod: Pod, peer: Workload) -> list[Body]:
    target = rng.choice(peer.pods)
    common = _tcp(rng) if peer.port in _TCP_PORTS else _http(rng, at, workload, peer)
    caller, called = rng.randint(32768, 60999), rng.randint(32768, 60999)
    spiffe = "spiffe://cluster.local/ns/{}/sa/{}"
    mine = line(
        at,
        workload,
        pod,
        **common,
        reporter="source",
        upstream_cluster=f"outbound|{peer.port}||{peer.host}",
        upstream_host=f"{target.address}:{peer.port}",
        upstream_local_address=f"{pod.address}:{called}",
        downstream_local_address=f"10.96.{len(peer.name)}.{peer.port % 250 + 1}:{peer.port}",
        downstream_remote_address=f"{pod.address}:{caller}",
        upstream_peer_uri_san=spiffe.format(peer.namespace, peer.service_account),
    )
    theirs = line(
        at,
        peer,
        target,
        **common,
        reporter="destination",
        upstream_cluster=f"inbound|{peer.port}||",
        upstream_host=f"{target.address}:{peer.port}",
        upstream_local_address=f"127.0.0.6:{caller}",
        downstream_local_address=f"{target.address}:{peer.port}",
        downstream_remote_address=f"{pod.address}:{called}",
        requested_server_name=f"outbound_.{peer.port}_._.{peer.host}",
        downstream_peer_uri_san=spiffe.format(workload.namespace, workload.service_account),
    )
    return [mine, theirs]


def _tcp(rng: Random) -> Body:
    return {
        "bytes_received": rng.randint(400, 9000),
        "bytes_sent": rng.randint(400, 30_000),
        "duration": rng.randint(200, 90_000),
    }


def _http(rng: Random, at: float, workload: Workload, peer: Workload) -> Body:
    if workload.name == "prometheus":
        method, path = "GET", "/stats/prometheus"
    else:
        method, path = rng.choice(_PATHS.get(peer.name, (("GET", "/healthz"),)))
    code = 200 if rng.random() < 0.985 else rng.choice((404, 499, 503))
    service_time = rng.randint(2, 120)
    return {
        "method": method,
        "path": path.format(rng.randint(1000, 99_999)),
        "protocol": "HTTP/2" if workload.name == "istio-ingressgateway" else "HTTP/1.1",
        "response_code": code,
        "response_code_details": "via_upstream",
        "route_name": "default",
        "bytes_sent": rng.randint(200, 24_000),
        "duration": service_time + rng.randint(0, 4),
        "upstream_service_time": str(service_time),
        "user_agent": _AGENTS.get(workload.name, "Go-http-client/1.1"),
        "request_id": new_uuid(rng),
        "authority": f"{peer.name}.{peer.namespace}:{peer.port}",
    }
