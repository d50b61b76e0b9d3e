"""Access log lines: TEXT and JSON are one, and the mesh's word is kept apart from the caller's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.sources.catalogue import profile
from connectors.sources.istio_text import normalise, parse_line
from connectors.sources.reject import Reject
from detectors.event import Contact, Locator

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "data/istio_access.jsonl").read_text().splitlines()
]
ISTIO = profile("istio_access")
PLACE = Locator("t", 0, 1, 0)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_text_reads_as_its_json_twin(case):
    found = parse_line(case["text"].encode())
    normalise(case["record"])
    assert found == {key: case["record"].get(key) for key in found}


WITH_REQUEST_ID = [case for case in CASES if case["record"]["request_id"]]


@pytest.mark.parametrize("case", WITH_REQUEST_ID, ids=[case["case"] for case in WITH_REQUEST_ID])
def test_both_encodings_have_one_id(case):
    text = ISTIO.parse(case["text"].encode(), PLACE)
    assert text.event_id == ISTIO.parse(dict(case["record"]), PLACE).event_id


LINE = (
    '[2026-11-23T06:09:13.949Z] "GET {path} HTTP/1.1" 200 - via_upstream - "-" 1 2 3 4 "{xff}" "{agent}" '
    '"{rid}" "{host}" "10.0.0.1:80" outbound|80||a.b.svc.cluster.local 10.0.0.2:1 '
    "10.0.0.3:80 10.0.0.2:2 - default"
)
PLAIN = {"path": "/", "xff": "-", "agent": "curl", "rid": "r", "host": "a.b"}


@pytest.mark.parametrize(
    "hostile",
    [
        {"agent": 'x" "y" "z" 403 - rbac'},
        {"agent": '" 500 - - - "-" 9 9 9 9 "'},
        {"xff": '1.1.1.1" "forged" "forged'},
        {"rid": 'r" "q'},
        {"agent": '" "' * 5000},
        {"path": '/a"b'},
    ],
)
def test_quotes_of_the_caller_move_nothing_that_the_proxy_set(hostile):
    found = parse_line(LINE.format(**{**PLAIN, **hostile}).encode())
    assert found["response_code"] == 200 and found["bytes_received"] == 1 and found["bytes_sent"] == 2
    assert found["upstream_host"] == "10.0.0.1:80"
    assert found["upstream_cluster"] == "outbound|80||a.b.svc.cluster.local"
    assert found["downstream_remote_address"] == "10.0.0.2:2"
    assert found["response_code_details"] == "via_upstream"


def test_bytes_that_are_no_utf8_do_not_hide_the_line():
    line = LINE.format(**PLAIN).encode().replace(b"curl", b"\xff\xfe")
    assert parse_line(line)["user_agent"] == "\N{REPLACEMENT CHARACTER}" * 2


def test_hostile_lines_end_quickly():
    for piece in ('" 200 a b c ', '" "', '"', " ", '" 1 1 1 1 '):
        line = ('[2026-11-23T06:09:13Z] "' + piece * (60_000 // len(piece))).encode()
        with pytest.raises(Reject):
            parse_line(line)


@pytest.mark.parametrize(
    ("case", "peer", "sent", "outside"),
    [
        ("outbound", "billing.terraminer.svc.cluster.local", 0, False),
        ("passthrough", "wz0k76z6p391.example", 0, True),
        ("passthrough_tcp", "10.244.3.99", 24, True),
    ],
)
def test_contacts_of_the_client_side(event, case, peer, sent, outside):
    found = event("istio_access", case)
    (contact,) = found.profile.contacts(found)
    subject = f"{found.fields['namespace']}/{found.fields['workload']}"
    assert contact == Contact("mesh_edge", ("workload", subject), ("host", peer), sent, outside)


def test_a_forged_name_does_not_hide_where_a_call_outside_went(event):
    found = event("istio_access", "passthrough")
    found.fields |= {"authority": "billing.terraminer.svc.cluster.local", "upstream_host": "198.51.100.9:443"}
    (contact,) = found.profile.contacts(found)
    assert contact.peer == ("host", "198.51.100.9")


@pytest.mark.parametrize("case", ["inbound", "denied", "tcp_denied", "block_all", "blackhole"])
def test_the_server_side_and_refusals_are_no_contacts(event, case):
    found = event("istio_access", case)
    assert found.profile.contacts(found) == ()


def test_without_a_workload_the_proxys_own_address_is_the_subject():
    found = ISTIO.parse(LINE.format(**PLAIN).encode(), PLACE)
    assert ISTIO.contacts(found)[0].subject == ("address", "10.0.0.2")


def test_origin_of_the_shipper_names_the_workload():
    found = ISTIO.parse(LINE.format(**PLAIN).encode(), PLACE, {"namespace": "n", "workload": "w"})
    assert ISTIO.entities(found)[0] == ("workload", "n/w", "actor")
    assert ISTIO.contacts(found)[0].subject == ("workload", "n/w")


def test_the_caller_of_a_denied_line_is_its_certificate(event):
    found = event("istio_access", "denied")
    assert found.profile.entities(found)[0] == ("service_account", "reporting/report-job", "actor")
    assert found.profile.outcome(found) == "failure"
    assert "denied" in found.profile.summary(found)


@pytest.mark.parametrize(
    ("case", "outcome"),
    [("outbound", "success"), ("tcp", "success"), ("block_all", "failure"), ("blackhole", "failure")],
)
def test_outcome(event, case, outcome):
    found = event("istio_access", case)
    assert found.profile.outcome(found) == outcome


def test_a_secret_in_a_path_is_not_in_the_summary(event):
    found = event("istio_access", "outbound", path="/x/hvs." + "aB3" * 12 + "?password=hunter2hunter2")
    assert "hunter2" not in found.profile.summary(found) and "hvs.aB3" not in found.profile.summary(found)
