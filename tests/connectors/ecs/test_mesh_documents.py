"""Access lines of Envoy and of ztunnel as documents: both ends, bytes, denial, parts of the target."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from connectors.ecs.event import event_document
from connectors.ecs.ztunnel import nanoseconds
from connectors.sources.catalogue import profile
from detectors.event import Locator

DATA = Path(__file__).parent.parent / "sources/data"
LINES = {
    case["case"]: case["record"]
    for case in map(json.loads, (DATA / "istio_access.jsonl").read_text().splitlines())
}
ZTUNNEL = (
    "2026-11-23T06:09:13.187645Z\tinfo\taccess\tconnection complete\tsrc.addr=10.244.1.6:42020 "
    'src.workload="reviews-v1" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/reviews" '
    'dst.addr=10.244.1.9:15008 dst.hbone_addr=10.244.1.9:9080 dst.service="ratings.shop.svc.cluster.local" '
    'dst.workload="ratings-v1" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/ratings" '
    'direction="outbound" bytes_sent=84 bytes_recv=512 duration="3ms"'
)
REFUSED = ' error="connection closed due to policy rejection: allow policies exist, but none allowed"'


def document(record):
    event = profile("istio_access").parse(record, Locator("t", 0, 1, 0))
    return event_document(event, "default", 0.0).body


def test_both_ends_of_a_call():
    line = {
        **LINES["outbound"],
        "bytes_received": 11,
        "bytes_sent": 22,
        "upstream_peer_uri_san": "spiffe://cluster.local/ns/shop/sa/ratings",
    }
    found = document(line)
    assert found["source"]["bytes"] == found["http"]["request"]["body"]["bytes"] == 11
    assert found["destination"]["bytes"] == found["http"]["response"]["body"]["bytes"] == 22
    assert found["network"]["bytes"] == 33 and found["network"]["direction"] == "egress"
    assert found["destination"]["user"] == {"name": "shop/ratings"}
    assert found["destination"]["domain"] in found["related"]["hosts"]


def test_a_call_lasts_its_duration():
    found = document({**LINES["outbound"], "start_time": "2026-11-20T08:15:30.100Z", "duration": 250})
    event = found["event"]
    assert (event["duration"], event["start"]) == (250_000_000, "2026-11-20T08:15:30.100Z")
    assert event["end"] == "2026-11-20T08:15:30.350Z"


def test_the_parts_of_a_target():
    line = {**LINES["inbound"], "path": "/a/report.csv?x=1&y=2", "authority": "API.shop:8080"}
    assert document(line)["url"] == {
        "original": "/a/report.csv?x=1&y=2",
        "path": "/a/report.csv",
        "extension": "csv",
        "query": "x=1&y=2",
        "domain": "api.shop",
        "port": 8080,
    }


def test_a_caller_is_named_by_its_certificate():
    san = "spiffe://cluster.local/ns/shop/sa/web"
    found = document(
        {**LINES["inbound"], "downstream_peer_uri_san": san, "downstream_tls_version": "TLSv1.3"}
    )
    assert found["user"] == {"name": "shop/web"} and found["tls"]["version"] == "1.3"
    assert found["tls"]["client"]["x509"]["alternative_names"] == [san]


@pytest.mark.parametrize(
    ("case", "change", "kinds"),
    [
        ("outbound", {}, ["access", "connection", "allowed"]),
        ("denied", {}, ["access", "connection", "denied"]),
        ("block_all", {}, ["access", "connection", "denied"]),
        ("tcp", {}, ["connection", "end", "allowed"]),
        ("tcp_denied", {}, ["connection", "end", "denied"]),
        ("blackhole", {}, ["connection", "end", "denied"]),
        ("outbound", {"response_code": 503, "response_flags": "UF"}, ["access", "connection", "error"]),
        ("outbound", {"response_code": 404}, ["access", "connection", "error"]),
    ],
)
def test_a_denial_is_no_error_and_an_error_no_denial(case, change, kinds):
    found = document({**LINES[case], **change})
    assert found["event"]["type"] == kinds
    assert found["event"]["category"] == (["web", "network"] if LINES[case].get("method") else ["network"])


def test_the_policy_that_denied_is_the_rule():
    details = "rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]]"
    found = document({**LINES["denied"], "response_code_details": details})
    assert found["rule"] == {"name": "shop/no-admin", "category": "authorization policy"}
    assert found["error"]["message"] == details


def test_forwarded_addresses_are_related_but_are_not_the_source():
    found = document({**LINES["gateway"], "x_forwarded_for": "203.0.113.9, 10.0.0.1, unknown"})
    assert found["network"]["forwarded_ip"] == "203.0.113.9" != found["source"].get("ip")
    assert {"203.0.113.9", "10.0.0.1"} <= set(found["related"]["ip"])


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("10.0.0.1:8080", "10.0.0.1", 8080),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("2001:db8::1", "2001:db8::1", None),
        ("envoy://connect_originate/10.0.0.1:80", "10.0.0.1", 80),
        ("10.0.0.1:0", "10.0.0.1", None),
        ("some.host:80", "some.host", 80),
        ("/var/run/socket", "/var/run/socket", None),
    ],
)
def test_addresses(host, address, port):
    found = document({**LINES["outbound"], "upstream_host": host})["destination"]
    assert (found["address"], found.get("port")) == (address, port)


def test_a_line_of_ztunnel(problems):
    found = document(ZTUNNEL.encode())
    assert problems(found) == []
    assert found["event"]["type"] == ["connection", "end", "allowed"]
    assert found["event"]["duration"] == 3_000_000 and found["event"]["provider"] == "ztunnel"
    assert found["source"] == {"address": "10.244.1.6", "ip": "10.244.1.6", "port": 42020, "bytes": 84}
    assert found["destination"]["port"] == 9080 and found["destination"]["bytes"] == 512
    assert found["destination"]["user"] == {"name": "shop/ratings"} and found["user"] == {
        "name": "shop/reviews"
    }
    assert found["orchestrator"]["resource"] == {"type": "pods", "name": "reviews-v1"}
    assert found["istio"]["ztunnel"]["src"]["identity"].startswith("spiffe://")


def test_a_refusal_by_ztunnel(problems):
    found = document((ZTUNNEL + REFUSED).encode())
    assert problems(found) == [] and found["event"]["type"] == ["connection", "end", "denied"]
    assert found["event"]["outcome"] == "failure" and "policy rejection" in found["error"]["message"]


JUNK = [None, "", 7, -1, 2**63, "x" * 3000, [], ["a"], {"a": "b"}, "1e9s", "99999999999999s", "\x00"]


@pytest.mark.parametrize(
    "key", ["src.addr", "src.identity", "dst.service", "dst.hbone_addr", "direction", "duration"]
)
@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:12])
def test_junk_in_ztunnels_json_makes_no_violation(problems, key, junk):
    record = {
        "time": "2026-11-23T06:09:13Z",
        "scope": "access",
        "message": "connection complete",
        "src.addr": "10.0.0.1:1",
        "bytes_sent": junk,
        "error": junk,
        key: junk,
    }
    source = profile("istio_access")
    if source.recognise(record):
        event = source.parse(record, Locator("t", 0, 1, 0))
        assert problems(orjson.loads(event_document(event, "default", 0.0).payload)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3ms", 3_000_000),
        ("1.5s", 1_500_000_000),
        ("20us", 20_000),
        ("7ns", 7),
        ("ms", None),
        ("-3ms", None),
        (3, None),
    ],
)
def test_durations(text, found):
    assert nanoseconds(text) == found
