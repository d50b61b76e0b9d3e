"""Insights and aggregated events are events with a time, an id and entities, though nobody calls in them."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.reject import Reason, Reject
from detectors.event import Entity, Event, Locator

FORMS = Path(__file__).parent / "data/cloudtrail_forms.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, FORMS.read_text().splitlines())}
CLOUDTRAIL = profile("cloudtrail")


def form(name: str, **changes: object) -> Event:
    return CLOUDTRAIL.parse({**RECORDS[name], **changes}, Locator("t", 0, 7, 0))


def test_an_insight_names_the_principal_that_calls_unusually():
    found = form("insight_start")
    assert CLOUDTRAIL.entities(found) == [
        Entity("iam_principal", "arn:aws:sts::111122223333:assumed-role/analyst/mira", "actor")
    ]
    assert CLOUDTRAIL.outcome(found) == "unknown"
    said = CLOUDTRAIL.summary(found)
    assert said.startswith("an unusual rate of s3:DeleteObject calls by arn:aws:sts::111122223333:")
    assert said.endswith("began in account 111122223333")


def test_start_and_end_of_an_insight_are_two_events():
    start, end = form("insight_start"), form("insight_end")
    assert start.fields["sharedEventID"] == end.fields["sharedEventID"]
    assert start.event_id != end.event_id
    assert "ended" in CLOUDTRAIL.summary(end)


def test_an_insight_on_errors_says_which():
    assert "s3:DeleteObject errors (AccessDenied)" in CLOUDTRAIL.summary(form("insight_errors"))


def test_an_insight_without_attributions_is_about_its_account():
    found = form("insight_start", insightDetails={"state": "Start"})
    assert CLOUDTRAIL.entities(found) == [Entity("iam_principal", "111122223333", "target")]


def test_an_aggregated_event_has_the_end_of_its_window_as_time_and_its_own_id():
    found = form("aggregated_calls")
    assert found.time == 1795162800.0
    assert found.event_id == found.fields["eventId"]
    assert CLOUDTRAIL.entities(found) == [
        Entity("bucket", "raw-surveys", "target"),
        Entity("iam_principal", "arn:aws:iam::111122223333:role/loader", "actor"),
    ]
    assert CLOUDTRAIL.summary(found) == "2000 s3 data events, most of GetObject, in account 111122223333"


def test_an_aggregate_by_resource_names_the_resource():
    assert CLOUDTRAIL.entities(form("aggregated_resources")) == [Entity("bucket", "raw-surveys", "target")]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("aggregated_calls", {"timeWindow": {}}, Reason.MISSING_TIME),
        ("aggregated_calls", {"timeWindow": "PT5M"}, Reason.MISSING_TIME),
        ("aggregated_calls", {"timeWindow": {"windowEnd": "soon"}}, Reason.BAD_TIME),
        ("aggregated_calls", {"summary": []}, Reason.WRONG_TYPE),
        ("insight_start", {"insightDetails": "none"}, Reason.WRONG_TYPE),
        ("insight_start", {"eventTime": None}, Reason.MISSING_TIME),
    ],
)
def test_an_overview_that_is_wrong_is_rejected_by_name(name, change, reason):
    with pytest.raises(Reject) as caught:
        form(name, **change)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("insight_start", {"insightDetails": {"insightContext": {"attributions": [7, {"insight": "x"}]}}}),
        ("insight_start", {"insightDetails": {"insightContext": {"attributions": [{"insight": [None]}]}}}),
        ("insight_start", {"insightDetails": {"eventSource": 7, "eventName": [], "insightContext": "x"}}),
        ("aggregated_calls", {"summary": {"primaryDimension": [], "details": [{"statistics": {}}, "x"]}}),
        ("aggregated_calls", {"summary": {"primaryDimension": {"statistics": [7, {"value": 2.5}]}}}),
        ("aggregated_calls", {"eventSource": 7, "accountId": []}),
    ],
)
def test_wrong_types_inside_an_overview_raise_nothing(name, change):
    found = form(name, **change)
    assert CLOUDTRAIL.entities(found) and CLOUDTRAIL.summary(found).isprintable()
    orjson.dumps(CLOUDTRAIL.ecs(found))


@pytest.mark.parametrize("name", ["insight_start", "insight_errors", "aggregated_calls"])
def test_an_overview_comes_out_of_a_trail_file_and_has_a_document(name):
    value = orjson.dumps({"Records": [RECORDS["trail_changed"], RECORDS[name]]})
    found = unpack(value, CLOUDTRAIL, "t", 0, 1)
    assert [event.fields for event in found.events] == [RECORDS["trail_changed"], RECORDS[name]]
    document = CLOUDTRAIL.ecs(found.events[1])
    assert document["event"]["id"] == found.events[1].event_id
    assert document["event"]["outcome"] == "unknown"


def test_an_insight_comes_through_event_bridge():
    envelope = {
        "version": "0",
        "detail-type": "AWS Insight via CloudTrail",
        "source": "aws.cloudtrail",
        "account": "111122223333",
        "region": "eu-west-1",
        "detail": RECORDS["insight_start"],
    }
    found = unpack(orjson.dumps(envelope), CLOUDTRAIL, "t", 0, 1)
    assert [event.fields for event in found.events] == [RECORDS["insight_start"]]
    assert found.events[0].origin["account"] == "111122223333"
