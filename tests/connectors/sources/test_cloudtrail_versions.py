"""Versions, addenda, times, and the ways by which a record comes."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.cloudtrail_values import major
from connectors.sources.envelope import unpack
from connectors.sources.moment import seconds
from connectors.sources.reject import Reason, Reject
from detectors.event import Event, Locator

FORMS = Path(__file__).parent / "data/cloudtrail_forms.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, FORMS.read_text().splitlines())}
CLOUDTRAIL = profile("cloudtrail")


def form(name: str, **changes: object) -> Event:
    return CLOUDTRAIL.parse({**RECORDS[name], **changes}, Locator("t", 0, 7, 0))


@pytest.mark.parametrize("version", ["1.0", "1.02", "1.08", "1.10", "1.11", "1.99", None, "draft", 1.08])
def test_versions_that_are_read(version):
    assert form("trail_changed", eventVersion=version).fields["eventVersion"] == version


@pytest.mark.parametrize("version", ["2.0", "2.11", "10.1", "0.9", "11.1"])
def test_another_major_version_is_rejected_by_name(version):
    """Majors are compared for equality: another one may have changed what a field means."""
    with pytest.raises(Reject) as caught:
        form("trail_changed", eventVersion=version)
    assert caught.value.reason is Reason.UNKNOWN_VERSION


@pytest.mark.parametrize(
    ("text", "number"), [("1.08", 1), ("1.11", 1), ("2.0", 2), ("1", None), ("1.2.3", None), ("١.٢", None)]
)
def test_major(text, number):
    assert major(text) == number


def test_an_addendum_with_an_id_of_its_own_keeps_it_and_the_original():
    found = form("trail_changed_late")
    assert found.event_id == found.fields["eventID"]
    assert found.fields["addendum"]["originalEventID"] == form("trail_changed").event_id


def test_a_record_completed_under_the_same_id_is_no_duplicate():
    """A target that holds the first one must not take the completed one for a repetition."""
    first, completed = form("trail_changed"), form("trail_changed_completed")
    assert first.fields["eventID"] == completed.fields["eventID"]
    assert completed.event_id.startswith(f"{first.event_id}/")
    assert completed.event_id == form("trail_changed_completed").event_id
    assert completed.event_id != form("trail_changed_completed", errorCode="Other").event_id
    assert (CLOUDTRAIL.outcome(first), CLOUDTRAIL.outcome(completed)) == ("success", "failure")


@pytest.mark.parametrize("addendum", [None, [], "x", {"originalEventID": 7}, {"originalEventID": ""}])
def test_a_wrong_addendum_changes_no_id(addendum):
    assert form("trail_changed", addendum=addendum).event_id == RECORDS["trail_changed"]["eventID"]


def test_times_come_in_basic_and_extended_form():
    assert seconds("20261120T081530Z", "creationDate") == seconds("2026-11-20T08:15:30Z", "creationDate")
    assert form("trail_changed", eventTime="20261120T081530Z").time == form("trail_changed").time


@pytest.mark.parametrize("time", [None, 1, [], {}, "yesterday", "2026-11-20T08:15:30", "2026-11-20"])
def test_a_time_that_is_none_is_rejected_each_time(time):
    for _ in range(2):
        with pytest.raises(Reject):
            form("trail_changed", eventTime=time)


@pytest.mark.parametrize(
    "kind",
    [
        "AWS API Call via CloudTrail",
        "AWS Console Signin via CloudTrail",
        "AWS Console Sign In via CloudTrail",
        "AWS Console Action via CloudTrail",
        "AWS Service Event via CloudTrail",
    ],
)
def test_event_bridge_detail_types(kind):
    envelope = {
        "version": "0",
        "detail-type": kind,
        "account": "444455556666",
        "detail": RECORDS["web_identity"],
    }
    found = unpack(orjson.dumps(envelope), CLOUDTRAIL, "t", 0, 1)
    assert [event.fields for event in found.events] == [RECORDS["web_identity"]]
    assert found.events[0].origin == {"account": "444455556666"}


def test_a_row_of_lookup_events_is_the_record_inside_it():
    record = RECORDS["trail_changed"]
    row = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventTime": 1795162530.0,
        "ReadOnly": "false",
        "Username": "mira",
        "Resources": [],
        "CloudTrailEvent": orjson.dumps(record).decode(),
    }
    answer = orjson.dumps({"Events": [row, row | {"CloudTrailEvent": "{"}], "NextToken": "n"})
    found = unpack(answer, CLOUDTRAIL, "t", 0, 1)
    assert [event.fields for event in found.events] == [record]
    assert [reject.reason for reject in found.rejects] == [Reason.TRUNCATED]
