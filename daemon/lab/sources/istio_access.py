"""Istio access log lines: JSON with the extra fields that docs/mesh.md asks for.

https://istio.io/latest/docs/tasks/observability/logs/access-log/ - a call inside the mesh gives two lines,
the caller's and the called side's, under one request id.
"""

from __future__ import annotations

from typing import Any, Final

from daemon.demo.traffic.record import Body, new_uuid, rfc3339
from daemon.lab.stage import ISTIO, Stage
from daemon.lab.world import Pod, Workload

_KEYS: Final = (
    "authority",
    "connection_termination_details",
    "downstream_local_address",
    "downstream_peer_uri_san",
    "downstream_remote_address",
    "downstream_tls_version",
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
    "upstream_peer_uri_san",
    "upstream_service_time",
    "upstream_transport_failure_reason",
    "user_agent",
    "x_forwarded_for",
)
AGENT: Final = "Go-http-client/1.1"


def line(stage: Stage, workload: Workload, pod: Pod, reporter: str, **more: Any) -> None:
    """Write one line of the sidecar of `pod`; keys that are not given are null or 0."""
    body: Body = {
        **dict.fromkeys(_KEYS),
        "start_time": rfc3339(stage.at, 3),
        "response_code": 0,
        "response_flags": "-",
        "bytes_received": 0,
        "bytes_sent": 0,
        "duration": stage.rng.randint(1, 90),
        "pod": pod.name,
        "namespace": workload.namespace,
        "workload": workload.name,
        "reporter": reporter,
        **more,
    }
    stage.add(ISTIO, body, body["request_id"])


def http(
    stage: Stage,
    source: Workload,
    target: Workload,
    method: str,
    path: str,
    code: int = 200,
    *,
    details: str = "via_upstream",
    plain_from: str = "",
    caller: Pod | None = None,
    agent: str = AGENT,
    **more: Any,
) -> None:
    """Write a call inside the mesh. `plain_from`: it came without a certificate from that address.

    `details` is what the called side says; the caller only sees an answer.
    """
    pod, hit = caller or stage.pod(source), stage.pod(target)
    mine, theirs = _port(stage), _port(stage)
    common: Body = {
        "method": method,
        "path": path,
        "protocol": "HTTP/1.1",
        "response_code": code,
        "request_id": new_uuid(stage.rng),
        "authority": f"{target.name}.{target.namespace}:{target.port}",
        "user_agent": agent,
        "bytes_sent": stage.rng.randint(60, 6000),
        "route_name": "default",
        **more,
    }
    at = f"{hit.address}:{target.port}"
    if not plain_from:
        line(
            stage,
            source,
            pod,
            "source",
            **common,
            response_code_details="via_upstream",
            upstream_cluster=f"outbound|{target.port}||{target.host}",
            upstream_host=at,
            upstream_local_address=f"{pod.address}:{theirs}",
            downstream_local_address=f"10.96.7.{target.port % 250}:{target.port}",
            downstream_remote_address=f"{pod.address}:{mine}",
            upstream_peer_uri_san=target.spiffe,
        )
    answered = details == "via_upstream"
    line(
        stage,
        target,
        hit,
        "destination",
        **common,
        response_code_details=details,
        upstream_cluster=f"inbound|{target.port}||",
        upstream_host=at if answered else None,
        upstream_local_address=f"127.0.0.6:{_port(stage)}" if answered else None,
        downstream_local_address=at,
        downstream_remote_address=f"{plain_from or pod.address}:{theirs}",
        downstream_peer_uri_san=None if plain_from else source.spiffe,
        downstream_tls_version=None if plain_from else "TLSv1.3",
        requested_server_name=None if plain_from else f"outbound_.{target.port}_._.{target.host}",
    )


def gateway(
    stage: Stage,
    client: str,
    target: Workload,
    method: str,
    path: str,
    code: int = 200,
    *,
    details: str = "via_upstream",
    agent: str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Gecko/20100101 Firefox/143.0",
    **more: Any,
) -> None:
    """Write a call from outside at the ingress gateway."""
    world = stage.world
    pod, hit = stage.pod(world.gateway), stage.pod(target)
    answered = details == "via_upstream"
    base: Body = {
        "method": method,
        "path": path,
        "protocol": "HTTP/2",
        "response_code": code,
        "response_code_details": details,
        "request_id": new_uuid(stage.rng),
        "authority": f"{target.name}.{world.company}.example",
        "requested_server_name": f"{target.name}.{world.company}.example",
        "user_agent": agent,
        "x_forwarded_for": client,
        "bytes_sent": stage.rng.randint(60, 6000),
        "downstream_remote_address": f"{client}:{_port(stage)}",
        "downstream_local_address": f"{pod.address}:8443",
        "downstream_tls_version": "TLSv1.3",
    }
    if answered:
        base |= {
            "upstream_cluster": f"outbound|{target.port}||{target.host}",
            "upstream_host": f"{hit.address}:{target.port}",
            "upstream_local_address": f"{pod.address}:{_port(stage)}",
            "upstream_peer_uri_san": target.spiffe,
        }
    line(stage, world.gateway, pod, "source", **{**base, **more})


def egress(
    stage: Stage,
    source: Workload,
    address: str,
    port: int,
    *,
    host: str | None = None,
    cluster: str = "PassthroughCluster",
    caller: Pod | None = None,
    **more: Any,
) -> None:
    """Write a connection to the outside, TLS with server name `host` if there is one."""
    pod = caller or stage.pod(source)
    base: Body = {
        "upstream_cluster": cluster,
        "upstream_host": f"{address}:{port}",
        "upstream_local_address": f"{pod.address}:{_port(stage)}",
        "downstream_local_address": f"{address}:{port}",
        "downstream_remote_address": f"{pod.address}:{_port(stage)}",
        "requested_server_name": host,
        "bytes_received": stage.rng.randint(300, 4000),
        "bytes_sent": stage.rng.randint(1000, 40_000),
    }
    line(stage, source, pod, "source", **{**base, **more})


def _port(stage: Stage) -> int:
    return stage.rng.randint(32768, 60999)
