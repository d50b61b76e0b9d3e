"""ztunnel's access lines: text and JSON are one, identity and denial are read, its other lines are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.reject import Reason, Reject
from connectors.sources.ztunnel import parse_line
from detectors.event import Contact, Entity, Locator

ISTIO = profile("istio_access")
PLACE = Locator("t", 0, 1, 0)
TIME = "2026-11-23T06:09:13.187645Z"
CALL = {
    "src.addr": "10.244.1.6:42020",
    "src.workload": "reviews-v1-6584ddcf65-k78wz",
    "src.namespace": "shop",
    "src.identity": "spiffe://cluster.local/ns/shop/sa/reviews",
    "dst.addr": "10.244.1.9:15008",
    "dst.hbone_addr": "10.244.1.9:9080",
    "dst.service": "ratings.shop.svc.cluster.local",
    "dst.workload": "ratings-v1-d5789fdfb-c5w2c",
    "dst.namespace": "shop",
    "dst.identity": "spiffe://cluster.local/ns/shop/sa/ratings",
    "direction": "outbound",
    "bytes_sent": 84,
    "bytes_recv": 512,
    "duration": "3ms",
}
DENIED = {
    **CALL,
    "direction": "inbound",
    "bytes_sent": 0,
    "bytes_recv": 0,
    "error": "connection closed due to policy rejection: allow policies exist, but none allowed",
}
TYPED = {
    "time": TIME,
    "level": "info",
    "scope": "access",
    "message": "connection complete",
    "src": {key[4:]: value for key, value in CALL.items() if key.startswith("src.")},
    "dst": {key[4:]: value for key, value in CALL.items() if key.startswith("dst.")},
    "direction": "outbound",
    "bytes_sent": 84,
    "bytes_recv": 512,
    "duration": "3ms",
}


def text_of(pairs, quoted=True, level="info", message="connection complete", between="\t"):
    """Return the line as ztunnel writes it: addresses and counts bare, the rest in quotes."""
    bare = {"src.addr", "dst.addr", "dst.hbone_addr", "bytes_sent", "bytes_recv"}
    said = " ".join(
        f"{key}={value}" if key in bare or not quoted else f"{key}={json.dumps(value)}"
        for key, value in pairs.items()
    )
    return between.join([TIME, level, "access", message, said]).encode()


def json_of(pairs, level="info", message="connection complete"):
    """Return the line as ztunnel writes it with LOG_FORMAT=json."""
    return json.dumps({"level": level, "time": TIME, "scope": "access", "message": message, **pairs}).encode()


@pytest.mark.parametrize(
    "value",
    [text_of(CALL), text_of(CALL, quoted=False), text_of(CALL, between="    "), json_of(CALL)],
    ids=["text", "unquoted", "spaces for tabs", "json"],
)
def test_every_form_gives_the_same_fields(value):
    (event,) = unpack(value, ISTIO, "t", 0, 1).events
    assert event.fields == TYPED
    assert event.source == "istio_access" and event.event_id == "t/0/1/0"
    assert event.time == pytest.approx(1795414153.187645)


@pytest.mark.parametrize(
    "value", [text_of(DENIED, level="error"), json_of(DENIED), text_of(DENIED, quoted=False)]
)
def test_a_denial_names_the_caller_and_fails(value):
    (event,) = unpack(value, ISTIO, "t", 0, 1).events
    assert ISTIO.outcome(event) == "failure"
    assert ISTIO.contacts(event) == ()
    assert event.fields["error"] == DENIED["error"]
    assert ISTIO.entities(event)[:3] == [
        Entity("service_account", "shop/reviews", "actor"),
        Entity("pod", "shop/reviews-v1-6584ddcf65-k78wz", "actor"),
        Entity("address", "10.244.1.6", "source"),
    ]
    assert "shop/reviews made a connection to ratings.shop" in ISTIO.summary(event)
    assert "denied by policy" in ISTIO.summary(event)


def only_contact(**changes):
    pairs = {key: value for key, value in {**CALL, **changes}.items() if value is not None}
    (event,) = unpack(
        json_of(pairs), ISTIO, "t", 0, 1, origin={"namespace": "istio-system", "workload": "ztunnel"}
    ).events
    return ISTIO.contacts(event)


def test_a_client_side_line_is_a_contact_of_the_caller_not_of_ztunnel():
    host = ("host", "ratings.shop.svc.cluster.local")
    caller = ("service_account", "shop/reviews")
    assert only_contact() == (Contact("mesh_edge", caller, host, 84, False),)


def test_a_destination_that_ztunnel_does_not_know_is_outside():
    unknown = dict.fromkeys(
        ("dst.service", "dst.workload", "dst.namespace", "dst.identity", "dst.hbone_addr")
    )
    (contact,) = only_contact(**unknown, **{"dst.addr": "[2001:db8::7]:443", "src.identity": None})
    assert contact.peer == ("host", "2001:db8::7") and contact.outside
    assert contact.subject == ("pod", "shop/reviews-v1-6584ddcf65-k78wz")


def test_what_did_not_come_about_is_no_contact():
    assert only_contact(direction="inbound") == ()
    assert only_contact(error="io error: Connection refused (os error 111)", bytes_recv=0) == ()
    assert only_contact(error="connection closed due to connection drain") != (), "bytes came back before it"


def test_an_opened_connection_is_unknown_and_an_early_denial_a_failure():
    (opened,) = unpack(text_of(CALL, level="debug", message="connection opened"), ISTIO, "t", 0, 1).events
    assert ISTIO.outcome(opened) == "unknown" and ISTIO.contacts(opened) == ()
    pairs = {"src.addr": "10.0.0.1:1", "dst.addr": "10.0.0.2:15008", "direction": "inbound"}
    (failed,) = unpack(text_of(pairs, level="warn", message="connection failed"), ISTIO, "t", 0, 1).events
    assert ISTIO.outcome(failed) == "failure"
    assert ISTIO.entities(failed)[0] == Entity("address", "10.0.0.1", "source")


def test_the_first_of_two_values_stays_and_escapes_are_read():
    line = text_of({**CALL, "error": 'a "quoted"\nerror'}) + b' src.identity="spiffe://td/ns/a/sa/forged"'
    fields = parse_line(line)
    assert fields["src"]["identity"] == CALL["src.identity"]
    assert fields["error"] == 'a "quoted"\nerror'


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-23T06:09:13.1Z\tinfo\tztunnel::state\tno allow policies matched inbound{id=2a}",
        b"2026-11-23T06:09:13.1Z\tinfo\txdsproxy\tconnected to upstream XDS server: istiod:15012",
        b"2026-11-23T06:09:13.1Z\twarning\tenvoy config\tStreamAggregatedResources gRPC config stream closed",
        b"[2026-11-23 15:31:30.492][1][critical][main] [source/server/server.cc:114] exiting",
        b'{"level":"info","time":"2026-11-23T06:09:13Z","scope":"ztunnel::state","message":"none matched"}',
        b'{"level":"warn","time":"2026-11-23T06:09:13.1Z","scope":"envoy config","msg":"closed"}',
    ],
)
def test_other_lines_of_proxies_are_counted_by_name_and_never_events(line):
    access = text_of(CALL)
    found = unpack(access + b"\n" + line + b"\n" + access, ISTIO, "t", 0, 1)
    assert len(found.events) == 2
    assert [reject.reason for reject in found.rejects] == [Reason.PROXY_LOG]
    alone = unpack(line, ISTIO, "t", 0, 1)
    assert alone.unreadable and [reject.reason for reject in alone.rejects] == [Reason.PROXY_LOG]


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=30
)


@settings(max_examples=300, deadline=None)
@given(
    TEXT.filter(lambda text: text != "-"),
    st.lists(TEXT | st.sampled_from(['"', " ", "\\", "src.identity=", ' error="'])),
)
def test_quoted_values_come_back_as_they_were(name, pieces):
    error = "".join(["x", *pieces])
    fields = parse_line(text_of({**CALL, "dst.service": name, "error": error}))
    assert fields["src"]["identity"] == CALL["src.identity"] and fields["bytes_sent"] == 84


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_after_the_head_end(tail):
    try:
        fields = parse_line(TIME.encode() + b"\terror\taccess\tconnection complete\t" + tail)
    except Reject as reject:
        assert reject.reason is Reason.UNKNOWN_SHAPE
    else:
        assert fields["scope"] == "access" and isinstance(fields["src"], dict)


def test_a_line_of_spaces_and_quotes_ends_quickly():
    head = TIME.encode() + b"\terror\taccess\tconnection complete\terror="
    for piece in (b" ", b'"', b'\\"', b' error="', b" src.addr=", b'" x'):
        assert parse_line(head + piece * (60_000 // len(piece)))["scope"] == "access"
