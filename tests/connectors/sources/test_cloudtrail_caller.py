"""Who called: sessions on someone's behalf, web identities, services without a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Entity, Event, Locator

FORMS = Path(__file__).parent / "data/cloudtrail_forms.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, FORMS.read_text().splitlines())}
CLOUDTRAIL = profile("cloudtrail")
PERSON = Entity("iam_principal", "arn:aws:identitystore:::user/d4380000-1111-70aa-0000-0123456789ab", "actor")


def form(name: str, **changes: object) -> Event:
    return CLOUDTRAIL.parse({**RECORDS[name], **changes}, Locator("t", 0, 7, 0))


def test_a_session_on_behalf_of_a_person_names_session_role_and_person():
    names = CLOUDTRAIL.entities(form("identity_center_session"))
    assert names[0].id == "arn:aws:sts::111122223333:assumed-role/analyst/mira"
    assert Entity("iam_principal", "arn:aws:iam::111122223333:role/analyst", "actor") in names
    assert PERSON in names


def test_an_identity_center_sign_in_is_the_person_and_not_the_account():
    found = form("identity_center_refused")
    assert CLOUDTRAIL.entities(found)[0] == PERSON
    assert CLOUDTRAIL.summary(found).startswith(PERSON.id)
    assert "111122223333" not in [entity.id for entity in CLOUDTRAIL.entities(found)]


def test_a_web_identity_is_the_service_account_of_its_token():
    assert Entity("service_account", "etl/loader", "actor") in CLOUDTRAIL.entities(form("web_identity"))


def test_a_user_cannot_take_the_name_of_a_service_account():
    identity = {"type": "IAMUser", "userName": "system:serviceaccount:etl:loader"}
    found = CLOUDTRAIL.entities(form("web_identity", userIdentity=identity))
    assert not [entity for entity in found if entity.type == "service_account"]


def test_aws_internal_is_no_caller_and_no_host():
    entities = CLOUDTRAIL.entities(form("internal_service"))
    assert entities == [Entity("iam_principal", "111122223333", "actor")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("198.51.100.7", Entity("address", "198.51.100.7", "source")),
        ("2001:DB8::7", Entity("address", "2001:db8::7", "source")),
        ("ec2.amazonaws.com", Entity("host", "ec2.amazonaws.com", "source")),
        ("AWS Internal", None),
        ("AWS Internal/12", None),
        ("", None),
        (None, None),
        (["198.51.100.7"], None),
    ],
)
def test_source_ip_address_may_be_an_address_a_name_or_nothing(text, expected):
    found = CLOUDTRAIL.entities(form("trail_changed", sourceIPAddress=text))
    assert [entity for entity in found if entity.role == "source"] == ([expected] if expected else [])


def test_the_same_call_in_two_accounts_is_two_events_of_one_shared_id():
    caller, target = form("assumed_by_caller"), form("assumed_in_target")
    assert caller.fields["sharedEventID"] == target.fields["sharedEventID"]
    assert caller.event_id != target.event_id
    role = Entity("iam_principal", "arn:aws:iam::444455556666:role/audit", "target")
    assert role in CLOUDTRAIL.entities(caller) and role in CLOUDTRAIL.entities(target)


@pytest.mark.parametrize("identity", [None, {}, [], "mira", {"arn": 7}, {"onBehalfOf": "x"}])
def test_a_record_without_a_readable_caller_still_has_an_entity(identity):
    found = form("trail_changed", userIdentity=identity, sourceIPAddress=None)
    assert CLOUDTRAIL.entities(found) == [Entity("iam_principal", "111122223333", "actor")]
