"""The breach on the whole stack: from API server, Envoy, vault and database to the proof and both SIEMs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from parts.elasticsearch import Elasticsearch9Part
from parts.envoy import EnvoyPart
from parts.kubernetes import KubernetesPart
from parts.loop_scene import NAMESPACE, LoopScene, Reals
from parts.opensearch import OpenSearch3Part

from daemon.demo.board import Board
from daemon.demo.play import Options, Play
from daemon.demo.result import Result

KUBELET = "kubelet: answers the upgrade, runs nothing"
REALS_BESIDE = ("kafka", "vault", "postgres")
STREAMS = ("events", "alerts", "incidents", "audit")
REST_S = 90.0
Played = tuple[LoopScene, Result]


@pytest.fixture(scope="module")
def reals(
    kubernetes: KubernetesPart,
    envoy: EnvoyPart,
    elasticsearch: Elasticsearch9Part,
    opensearch: OpenSearch3Part,
) -> Reals:
    targets = (
        {"kind": "elasticsearch", "name": "elastic", "urls": [elasticsearch.url]},
        {"kind": "opensearch", "name": "opensearch", "urls": [opensearch.url]},
    )
    return Reals(kubernetes, envoy, targets)


@pytest.fixture(scope="module")
def played(reals: Reals, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    board = Board()
    board.told = print
    with LoopScene(7, tmp_path_factory.mktemp("loop"), reals) as scene:
        play = Play(scene, board, Options(seed=7))
        result = asyncio.run(play.run())
        try:
            yield scene, result
        finally:
            play.close()


@pytest.mark.claim(
    "the breach on real servers ends in proof A, and every stage stands in an incident",
    on=REALS_BESIDE,
    double=KUBELET,
)
def test_the_breach_ends_in_proof_a(played: Played, reals: Reals) -> None:
    _, result = played
    assert result.failures == []
    assert result.proof is not None
    assert result.proof["grade"] == "A"


@pytest.mark.claim(
    "what detect accepted, both SIEMs hold: each event, alert, incident and audit entry once",
    on=REALS_BESIDE,
    double=KUBELET,
)
def test_counts_in_both_siems_equal_the_conservation_law(played: Played, reals: Reals) -> None:
    """The play is over and nothing feeds the topics, so the roles come to rest; only then is it counted."""
    scene, result = played
    assert result.conservation["violations"] == []
    give_up = time.monotonic() + REST_S
    while (found := counts(scene, reals))["held"] != found["delivered"]:
        assert time.monotonic() < give_up, found
        time.sleep(1.0)
    for delivered in found["delivered"].values():
        assert delivered["events"] == found["accepted"] > 0
        assert all(delivered.values())


@pytest.mark.claim(
    "what was done on the API server stands in both SIEMs as alerts", on=REALS_BESIDE, double=KUBELET
)
def test_alerts_name_what_the_real_servers_saw(played: Played, reals: Reals) -> None:
    for target in reals.targets:
        found = search(target["urls"][0], "alerts", {"term": {"event.kind": "alert"}})
        rules = {hit["_source"]["rule"]["name"] for hit in found}
        assert {
            "Session opened into a running pod",
            "Secrets of all namespaces listed",
            "Cluster administrator bound",
            "Mutual TLS of the mesh weakened",
        } <= rules


def counts(scene: LoopScene, reals: Reals) -> dict[str, Any]:
    """Return what detect accepted, and for each target what forward counted and what the SIEM holds."""
    detect = scene.daemon.status("detect")["conservation"]
    forward = scene.daemon.status("forward")["conservation"]
    delivered: dict[str, dict[str, int]] = {}
    for name in (target["name"] for target in reals.targets):
        done = {stream: counted["items:delivered"] for stream, counted in forward[name].items()}
        streams = {"alerts": done["findings"], "incidents": done["incidents"], "audit": done["audit"]}
        delivered[name] = {"events": sum(done[kind] for kind in detect), **streams}
    return {
        "accepted": sum(counted["events:accepted"] for counted in detect.values()),
        "delivered": delivered,
        "held": {target["name"]: held(target["urls"][0]) for target in reals.targets},
    }


def held(url: str) -> dict[str, int]:
    """Return how many documents each of our data streams holds."""
    return {stream: count(url, stream) for stream in STREAMS}


def count(url: str, stream: str) -> int:
    name = f"logs-davylamp.{stream}-{NAMESPACE}"
    assert httpx.post(f"{url}/{name}/_refresh", timeout=30.0).status_code == 200
    return httpx.get(f"{url}/{name}/_count", timeout=30.0).json()["count"]


def search(url: str, stream: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"query": query, "size": 1000}
    answer = httpx.post(f"{url}/logs-davylamp.{stream}-{NAMESPACE}/_search", json=body, timeout=30.0)
    return answer.json()["hits"]["hits"]
