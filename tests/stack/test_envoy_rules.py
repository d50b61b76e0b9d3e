"""The shipped rules meet what a real Envoy writes when the mesh is attacked, and nothing when it is not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from parts.envoy import EnvoyPart
from parts.envoy_access import BATCH, WEB
from parts.envoy_log import LogTail

from config.detection import Detection
from daemon.ruleset import ruleset
from daemon.scanning import scan
from detectors.finding import Finding

Finds = Callable[..., list[Finding]]
LEARNING_S = 0.6
DAY_S = 86_400.0


@pytest.fixture(params=["json", "text"])
def found(request: pytest.FixtureRequest, envoy: EnvoyPart, tmp_path: Path) -> Finds:
    """Return what does an act and returns the findings over the lines of both sidecars."""

    def run(act: Callable[[EnvoyPart], object], learning_s: float = DAY_S) -> list[Finding]:
        logs = envoy.json_log if request.param == "json" else envoy.text_log
        tails = [LogTail(logs("client")), LogTail(logs("server"))]
        act(envoy)
        envoy.request(WEB, "/last")
        lines = [line for tail in tails for line in tail.wait(until=_last)]
        log = tmp_path / "access.log"
        log.write_bytes(b"\n".join(lines))
        rules = ruleset(Detection())
        findings = [at.finding for at in scan([log], "istio_access", rules, learning_s=learning_s)]
        print(Counter(finding.title for finding in findings))
        return findings

    return run


def _last(line: bytes) -> bool:
    return b"/last" in line


def titles(findings: list[Finding]) -> set[str]:
    return {finding.title for finding in findings}


@pytest.mark.claim("ten calls that a real policy refused within minutes are one finding, on the caller")
def test_a_burst_of_denials_is_found(found: Finds) -> None:
    def act(envoy: EnvoyPart) -> None:
        assert {envoy.request(BATCH, f"/try/{n}") for n in range(12)} == {403}

    (burst,) = [f for f in found(act) if f.title == "Many calls of one client denied by mesh authorization"]
    assert burst.count >= 10
    assert ("address", "127.0.0.1") in {(e.type, e.id) for e in burst.entities}


@pytest.mark.claim("a call to a host that the mesh does not know is found, by HTTP and by TCP")
@pytest.mark.parametrize("way", ["http", "tcp"])
def test_a_refused_way_out_is_found(found: Finds, way: str) -> None:
    def act(envoy: EnvoyPart) -> None:
        if way == "http":
            assert envoy.request(WEB, "/beacon", host="c2.example") == 502
        else:
            assert envoy.stream_nowhere(b"beacon") == b""

    assert "Call to an unregistered host refused by the mesh" in titles(found(act))


@pytest.mark.claim("a first call out of the mesh to a host that it does not know is found")
def test_a_first_call_outside_is_found(found: Finds) -> None:
    def act(envoy: EnvoyPart) -> None:
        assert envoy.request(WEB, "/usual") == 200
        time.sleep(2 * LEARNING_S)
        assert envoy.request(WEB, "/usual") == 200
        assert (
            envoy.request(WEB, "/upload", method="POST", content=b"x" * 100, host="drop.outside.example")
            == 200
        )

    outside = [
        f
        for f in found(act, LEARNING_S)
        if ("host", "drop.outside.example") in {(e.type, e.id) for e in f.entities}
    ]
    assert [finding.level for finding in outside] == ["high"]


@pytest.mark.claim("everyday calls through a real mesh raise nothing")
def test_everyday_calls_raise_nothing(found: Finds) -> None:
    def act(envoy: EnvoyPart) -> None:
        for _ in range(5):
            assert envoy.request(WEB, "/orders") == 200
        assert envoy.request(WEB, "/status/404") == 404
        assert envoy.stream(WEB, b"select 1") == b"select 1"

    assert found(act) == []


@pytest.mark.claim(
    "a caller that writes another address into X-Forwarded-For at each try is still one caller"
)
def test_rotating_forwarded_addresses_does_not_hide_a_burst(
    found: Finds, request: pytest.FixtureRequest
) -> None:
    def act(envoy: EnvoyPart) -> None:
        tries = (envoy.request(BATCH, f"/{n}", headers={"X-Forwarded-For": f"10.9.{n}.1"}) for n in range(30))
        assert set(tries) == {403}

    findings = [finding for finding in found(act) if "denied" in finding.title]
    names = {entity.id for finding in findings for entity in finding.entities}
    assert {finding.count for finding in findings} == {30}  # one burst; several rules may say so
    assert not any(name.startswith("10.9.") for name in names)
    if "json" in request.node.name:
        assert findings[0].entities[0] == ("service_account", "prod/batch", "actor")


@pytest.mark.claim(
    "a plain-text call that a server lets in is found where the mesh logs the caller's identity"
)
def test_a_plain_text_call_is_found_where_identities_are_logged(
    found: Finds, request: pytest.FixtureRequest
) -> None:
    title = "Server in the mesh answers a caller without a certificate"

    def act(envoy: EnvoyPart) -> None:
        assert {envoy.plaintext("/healthz") for _ in range(3)} == {200}

    findings = [finding for finding in found(act) if finding.title == title]
    assert [finding.count for finding in findings] == ([3] if "json" in request.node.name else [])
