"""Access logs in JSON with other keys, by a field map, and OpenTelemetry's line with labels."""

from __future__ import annotations

import json

import pytest

from config.errors import ConfigurationError
from config.istio import Istio
from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.istio_configured import configured
from connectors.sources.istio_format_string import FormatError
from connectors.sources.istio_json import FieldMap
from detectors.event import Locator

PLACE = Locator("t", 0, 1, 0)
FIELDS = {
    "ts": "%START_TIME%",
    "http.status": "%RESPONSE_CODE%",
    "http.verb": "method",
    "uri": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "rid": "request_id",
    "in": "bytes_received",
}
RECORD = {
    "ts": "2026-11-23T06:09:13.949Z",
    "http": {"status": 200, "verb": "GET"},
    "uri": "/a",
    "cluster": "outbound|80||shop.n.svc.cluster.local",
    "rid": "-",
    "in": "17",
    "team": "blue",
}


def test_keys_of_the_operator_become_our_fields():
    source = configured("istio_access", Istio(json_fields=FIELDS))
    (event,) = unpack(json.dumps(RECORD).encode(), source, "t", 0, 1).events
    fields = event.fields
    assert (fields["response_code"], fields["method"], fields["path"]) == (200, "GET", "/a")
    assert fields["bytes_received"] == 17 and fields["request_id"] is None and fields["team"] == "blue"
    assert source.contacts(event) == () and source.outcome(event) == "success"
    assert event.event_id == "t/0/1/0" and event.time == pytest.approx(1795414153.949)


def test_istio_s_own_keys_are_still_understood():
    source = configured("istio_access", Istio(json_fields=FIELDS))
    record = {"start_time": "2026-11-23T06:09:13Z", "response_code": 200, "method": "GET"}
    assert source.recognise(record) and source.parse(record, PLACE).fields["method"] == "GET"


def test_keys_that_are_half_there_are_recognised_and_others_are_not():
    source = configured("istio_access", Istio(json_fields=FIELDS))
    assert source.recognise({"ts": "x", "uri": "/", "cluster": "c"})
    assert not source.recognise({"ts": "x", "uri": "/"})
    assert not source.recognise({"uri": "/", "cluster": "c", "rid": "r", "in": 1})


@pytest.mark.parametrize("said", [1795414153.5, 1795414153500, "1795414153.500"])
def test_epoch_times(said):
    fields = {"t": "%START_TIME(%s.%3f)%" if isinstance(said, str) else "start_time", "c": "response_code"}
    source = configured("istio_access", Istio(json_fields=fields))
    assert source.parse({"t": said, "c": 200}, PLACE).time == pytest.approx(1795414153.5)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"a": "response_code"}, "no key fills start_time"),
        ({"a": "start_time", "b": "%START_TIME%"}, "two keys fill one field"),
        ({"a": "start_time", "b": "x %PROTOCOL%"}, "neither a field's name nor"),
        ({"a": "%START_TIME(%Q)%"}, "cannot be read"),
    ],
)
def test_a_map_that_cannot_work_says_why(fields, why):
    with pytest.raises(FormatError, match=why):
        FieldMap(fields)


def test_every_format_that_cannot_be_read_is_named_at_once():
    istio = Istio(text_formats=("%START_TIME% ok", "%PROTOCOL%"), json_fields={"a": "response_code"})
    with pytest.raises(ConfigurationError) as refused:
        configured("istio_access", istio)
    assert [problem.key for problem in refused.value.problems] == [
        "istio.text_formats.1",
        "istio.json_fields",
    ]


def test_without_formats_the_source_is_the_catalogue_s():
    for kind in ("istio_access", "vault_audit"):
        assert configured(kind, Istio()) is profile(kind)
    assert configured("vault_audit", Istio(json_fields=FIELDS)) is profile("vault_audit")


def test_a_text_format_of_the_operator_is_read_from_a_record():
    istio = Istio(text_formats=("%START_TIME%|%REQ(:METHOD)%|%RESPONSE_CODE%|%REQ(USER-AGENT)%",))
    source = configured("istio_access", istio)
    found = unpack(b"2026-11-23T06:09:13Z|GET|404|cu|rl", source, "t", 0, 1)
    assert [event.fields["user_agent"] for event in found.events] == ["cu|rl"]
    assert source.outcome(found.events[0]) == "failure"
    assert unpack(b"neither this nor that", source, "t", 0, 1).unreadable


LINE = (
    '[2026-11-23T06:09:13.949Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 1 2 3 4 "-" "curl" "r1" "h" '
    '"10.0.0.1:80" inbound|80|| 127.0.0.6:1 10.0.0.1:80 10.0.0.2:2 - default'
)


def test_labels_of_open_telemetry_stand_beside_the_line_and_never_replace_it():
    labels = {"downstream_peer_uri_san": "spiffe://td/ns/n/sa/caller", "response_code": "500", "extra": "-"}
    source = profile("istio_access")
    record = {"body": LINE, "attributes": labels}
    assert source.recognise(record)
    event = source.parse(record, PLACE)
    assert event.fields["response_code"] == 200 and event.fields["extra"] is None
    assert source.entities(event)[0] == ("service_account", "n/caller", "actor")
    assert event.event_id == source.parse(LINE, PLACE).event_id


def test_labels_of_a_line_survive_their_envelope():
    """Through OTLP, not only as a record of its own: the caller's certificate is a label there."""
    labels = [{"key": "downstream_peer_uri_san", "value": {"stringValue": "spiffe://td/ns/n/sa/caller"}}]
    rows = [{"body": {"stringValue": LINE}, "attributes": labels}]
    value = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": rows}]}]}).encode()
    source = profile("istio_access")
    (event,) = unpack(value, source, "t", 0, 1).events
    assert source.entities(event)[0] == ("service_account", "n/caller", "actor")
    assert event.event_id == source.parse(LINE, PLACE).event_id


def test_a_kvlist_body_is_the_record():
    values = [
        {"key": "start_time", "value": {"stringValue": "2026-11-23T06:09:13Z"}},
        {"key": "response_code", "value": {"intValue": "403"}},
        {"key": "response_flags", "value": {"stringValue": "-"}},
        {"key": "bytes_received", "value": {"stringValue": "12"}},
    ]
    rows = [{"body": {"kvlistValue": {"values": values}}}]
    value = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": rows}]}]}).encode()
    (event,) = unpack(value, profile("istio_access"), "t", 0, 1).events
    assert event.fields["bytes_received"] == 12 and event.fields["response_flags"] is None
    assert profile("istio_access").outcome(event) == "failure"
