"""Istio: what a taken workload does inside the mesh."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.istio_access import http, line
from daemon.lab.stage import Stage, Technique

_DENIED: Final = "rbac_access_denied_matched_policy[none]"
_PATHS: Final = (
    "/api/v1/export",
    "/internal/keys",
    "/api/v1/users",
    "/admin/jobs",
    "/metrics",
    "/api/v1/query",
)


def plain_text_taken(stage: Stage) -> None:
    """Speak plain text to a workload that must only take mutual TLS, from a pod without a sidecar."""
    source, target = stage.workload(), stage.world.store
    stranger = stage.names.address(stage.pod(source).address.rpartition(".")[0])
    for path in _PATHS[:3]:
        http(stage, source, target, "GET", path, plain_from=stranger, agent="curl/8.5.0")


def denied_in_a_burst(stage: Stage) -> None:
    """Ask a service for what one may not, again and again."""
    source, target = stage.two_workloads()
    pod = stage.pod(source)
    for _ in range(stage.rng.randint(25, 40)):
        http(stage, source, target, "GET", stage.rng.choice(_PATHS), 403, details=_DENIED, caller=pod)


def denied_at_many(stage: Stage) -> None:
    """Try one service after the other, denied at each."""
    source = stage.workload()
    pod = stage.pod(source)
    for target in (*stage.world.workloads, stage.world.store, stage.world.backup, stage.world.ci):
        if target != source:
            for path in _PATHS[:3]:
                http(stage, source, target, "GET", path, 403, details=_DENIED, caller=pod)


def paths_tried(stage: Stage) -> None:
    """Try paths of a service from a word list."""
    source, target = stage.two_workloads()
    pod = stage.pod(source)
    for _ in range(stage.rng.randint(50, 70)):
        http(stage, source, target, "GET", f"/{stage.names.word()}/{stage.names.word()}", 404, caller=pod)


def management_asked(stage: Stage) -> None:
    """Ask for the management pages of a service."""
    source, target = stage.two_workloads()
    pod = stage.pod(source)
    for path in (
        "/actuator/env",
        "/actuator/heapdump",
        "/env",
        "/debug/pprof/heap",
        "/jolokia/list",
        "/.env",
    ):
        http(stage, source, target, "GET", path, stage.rng.choice((200, 404)), caller=pod, agent="curl/8.5.0")


def proxy_ports_tried(stage: Stage) -> None:
    """Try the administrative ports of other sidecars by the addresses of their pods."""
    source = stage.workload()
    pod = stage.pod(source)
    for port in (15000, 15004, 15020, 15021):
        hit = stage.pod(stage.world.store)
        line(
            stage,
            source,
            pod,
            "source",
            method="GET",
            path="/config_dump",
            protocol="HTTP/1.1",
            response_code=503,
            response_flags="UF",
            response_code_details="upstream_reset_before_response_started{connection_failure}",
            request_id=None,
            authority=f"{hit.address}:{port}",
            user_agent="curl/8.5.0",
            upstream_cluster="PassthroughCluster",
            upstream_host=f"{hit.address}:{port}",
            upstream_local_address=f"{pod.address}:{stage.rng.randint(32768, 60999)}",
            downstream_local_address=f"{hit.address}:{port}",
            downstream_remote_address=f"{pod.address}:{stage.rng.randint(32768, 60999)}",
            route_name="allow_any",
        )


def injection_inside(stage: Stage) -> None:
    """Send injection strings from a taken workload to its neighbour."""
    source, target = stage.two_workloads()
    pod = stage.pod(source)
    for text in ("%27%20OR%201%3D1--", "%27%20UNION%20SELECT%20password%20FROM%20users--"):
        http(
            stage, source, target, "GET", f"/api/v1/find?q={text}", caller=pod, agent="python-requests/2.32.3"
        )


TECHNIQUES: Final = (
    Technique(
        "mesh-plain-text-taken",
        "Plain text where mutual TLS is a must",
        plain_text_taken,
        ("T1040",),
        "critical",
        needs=("mesh_strict_namespaces",),
    ),
    Technique(
        "mesh-denied-in-a-burst",
        "One service asked again and again, denied",
        denied_in_a_burst,
        ("T1046",),
        "medium",
    ),
    Technique("mesh-denied-at-many", "Many services tried, denied at each", denied_at_many, ("T1046",)),
    Technique("mesh-paths-tried", "Paths of a service tried from inside", paths_tried, ("T1046",), "medium"),
    Technique(
        "mesh-management-asked", "Management pages asked from inside", management_asked, ("T1046",), "medium"
    ),
    Technique(
        "mesh-proxy-ports-tried", "Administrative ports of sidecars tried", proxy_ports_tried, ("T1046",)
    ),
    Technique("mesh-injection-inside", "Injection strings from inside", injection_inside, ("T1210",)),
)
