"""Istio: ordinary calls that look like an attack."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.istio_access import egress, gateway, http
from daemon.lab.stage import Stage, Technique


def honest_queries(stage: Stage) -> None:
    """People search for words with apostrophes and SQL in them."""
    target, client = stage.workload(), stage.foreign
    for text in (
        "o%27brien",
        "select+a+plan",
        "drop-off+area",
        "rock+%26+roll",
        "union+square",
        "50%25+or+more",
    ):
        gateway(stage, client, target, "GET", f"/search?q={text}")


def wrong_password(stage: Stage) -> None:
    """Someone mistypes the password three times."""
    target = stage.workload()
    for _ in range(3):
        gateway(stage, stage.foreign, target, "POST", "/api/v1/login", 401)
        stage.wait(3, 12)
    gateway(stage, stage.foreign, target, "POST", "/api/v1/login", 200)


def old_links(stage: Stage) -> None:
    """A search engine follows links that are gone."""
    target = stage.workload()
    agent = "Mozilla/5.0 (compatible; Examplebot/2.1; +https://bot.example/about)"
    for _ in range(6):
        gateway(stage, stage.foreign, target, "GET", f"/articles/{stage.names.word()}", 404, agent=agent)
        stage.wait(20, 60)


def service_fails(stage: Stage) -> None:
    """One service answers 503 for a while."""
    source, target = stage.two_workloads()
    for _ in range(12):
        http(stage, source, target, "GET", "/api/v1/items", 503)


def known_host(stage: Stage) -> None:
    """A workload calls the outside host that the mesh knows."""
    host = stage.world.known_host
    for _ in range(5):
        egress(stage, stage.workload(), stage.foreign, 443, host=host, cluster=f"outbound|443||{host}")


def legacy_plain(stage: Stage) -> None:
    """An old job without sidecar calls a namespace that takes plain text."""
    source, target = stage.two_workloads()
    http(stage, source, target, "GET", "/api/v1/items", plain_from=stage.pod(source).address)


LOOK_ALIKES: Final = (
    Technique("mesh-honest-queries", "Searches with odd signs", honest_queries, why="honest words"),
    Technique(
        "mesh-wrong-password", "Three wrong passwords", wrong_password, why="a mistake, then the right one"
    ),
    Technique("mesh-old-links", "Crawler follows old links", old_links, why="declared, slow, plain paths"),
    Technique("mesh-service-fails", "Service answers 503", service_fails, why="a fault, no attacker"),
    Technique("mesh-known-host", "Known host outside called", known_host, why="registered"),
    Technique(
        "mesh-legacy-plain", "Plain text where it is allowed", legacy_plain, why="the namespace is permissive"
    ),
)
