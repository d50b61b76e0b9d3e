"""An address that a caller writes into a header is never taken for the caller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.ecs.event import event_document
from connectors.sources.catalogue import profile
from connectors.sources.istio_peer import claimed, connected
from detectors.event import Entity, Locator

MESH = profile("istio_access")
DATA = Path(__file__).parent / "data/istio_access.jsonl"
DENIED = {case["case"]: case["record"] for case in map(json.loads, DATA.read_text().splitlines())}["denied"]
FORGED = {"downstream_remote_address": "198.51.100.77:0", "x_forwarded_for": "198.51.100.77"}
PEER = {"downstream_peer_uri_san": "spiffe://td/ns/shop/sa/batch"}
DIRECT = {"downstream_direct_remote_address": "10.9.8.7:41000"}


def event(**change):
    """Return the event of a denied inbound line."""
    return MESH.parse({**DENIED, "downstream_peer_uri_san": None, **change}, Locator("t", 0, 1, 0))


def names(found):
    return [entity.id for entity in MESH.entities(found)]


@pytest.mark.parametrize(
    ("fields", "peer", "claim"),
    [
        ({"downstream_remote_address": "10.0.0.1:4000"}, "10.0.0.1:4000", None),
        ({"downstream_remote_address": "10.0.0.1:0"}, None, "10.0.0.1"),
        ({"downstream_remote_address": "[2001:db8::1]:0"}, None, "2001:db8::1"),
        ({"downstream_remote_address": "2001:db8::"}, "2001:db8::", None),
        ({"downstream_remote_address": "2001:db8::1:0"}, "2001:db8::1:0", None),
        ({"downstream_remote_address": "10.0.0.1:10"}, "10.0.0.1:10", None),
        ({"downstream_remote_address": ":0"}, None, None),
        ({"downstream_remote_address": 7}, None, None),
        ({}, None, None),
        ({**FORGED, **DIRECT}, "10.9.8.7:41000", "198.51.100.77"),
        (
            {**FORGED, "downstream_direct_remote_address_without_port": "10.9.8.7"},
            "10.9.8.7",
            "198.51.100.77",
        ),
        ({**FORGED, "downstream_direct_remote_address": "envoy://internal/"}, None, "198.51.100.77"),
        ({**FORGED, "downstream_direct_remote_address": None}, None, "198.51.100.77"),
    ],
)
def test_who_connected_and_who_is_claimed(fields, peer, claim):
    assert (connected(fields), claimed(fields)) == (peer, claim)


def test_a_claimed_address_is_no_entity_and_no_source():
    found = event(**FORGED)
    assert "198.51.100.77" not in names(found)
    body = event_document(found, "default", 0.0).body
    assert "ip" not in body["source"] and body["labels"]["claimed_address"] == "198.51.100.77"
    assert body["network"]["forwarded_ip"] == "198.51.100.77" and "198.51.100.77" in body["related"]["ip"]
    assert "said to call for 198.51.100.77" in MESH.summary(found)


def test_the_connection_s_own_end_is_the_source_where_it_is_logged():
    found = event(**FORGED, **DIRECT)
    assert Entity("address", "10.9.8.7", "source") in MESH.entities(found)
    assert event_document(found, "default", 0.0).body["source"]["ip"] == "10.9.8.7"


def test_the_identity_is_the_caller_whatever_the_header_says():
    found = event(**FORGED, **PEER)
    assert names(found)[0] == "shop/batch" and "198.51.100.77" not in names(found)


def test_a_client_side_line_without_a_workload_is_not_about_a_claimed_address():
    line = {"upstream_cluster": "outbound|80||web.shop.svc.cluster.local", "upstream_local_address": None}
    assert "198.51.100.77" not in names(event(**FORGED, **line))
