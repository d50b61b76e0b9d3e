"""Who called what in the cloud account, and what was at risk."""

from __future__ import annotations

import pytest

from detectors.event import Entity


def test_a_key_made_for_a_user_puts_that_users_credential_at_risk(event):
    found = event("cloudtrail", "access_key")
    entities = found.profile.entities(found)
    assert entities[0] == Entity("credential", "iam:batch", "target")
    assert Entity("iam_principal", "arn:aws:iam::111122223333:user/mira", "actor") in entities
    assert Entity("access_key", "AKIAEXAMPLEEXAMPLE02", "target") in entities
    assert Entity("iam_principal", "arn:aws:iam::111122223333:user/batch", "target") in entities


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("get_secret", Entity("secret", "prod/db", "target")),
        ("bucket_denied", Entity("bucket", "raw-surveys", "target")),
        ("stop_logging", Entity("iam_principal", "arn:aws:iam::111122223333:role/ci", "actor")),
        ("console_login", Entity("address", "198.51.100.23", "source")),
        ("service_call", Entity("host", "ec2.amazonaws.com", "source")),
    ],
)
def test_entities(event, case, expected):
    found = event("cloudtrail", case)
    entities = found.profile.entities(found)
    assert expected in entities
    assert entities[0].type == "iam_principal" and entities[0].role == "actor"


@pytest.mark.parametrize(
    ("case", "outcome"),
    [("console_login", "success"), ("failed_login", "failure"), ("bucket_denied", "failure")],
)
def test_outcome(event, case, outcome):
    found = event("cloudtrail", case)
    assert found.profile.outcome(found) == outcome


def test_no_session_token_is_an_entity(event):
    found = event("cloudtrail", "service_call")
    assert not [e for e in found.profile.entities(found) if "session-token" in e.id]


def test_summary_is_bounded_and_printable(event):
    found = event("cloudtrail", "get_secret", sourceIPAddress="a\x1b[31m\u202e" + "b" * 5000)
    said = found.profile.summary(found)
    assert len(said) < 600 and said.isprintable()


def test_ids(event):
    found = event("cloudtrail", "get_secret")
    assert found.event_id == found.fields["eventID"]
    assert event("cloudtrail", "get_secret", eventID=None).event_id == "t/0/7/0"
    assert event("cloudtrail", "get_secret", eventID="../x").event_id.startswith("x-")


def test_two_long_names_stay_two(event):
    names = ["n" * 4000 + end for end in "ab"]
    ids = {
        event("cloudtrail", "get_secret", requestParameters={"secretId": name})
        .profile.entities(event("cloudtrail", "get_secret", requestParameters={"secretId": name}))[-1]
        .id
        for name in names
    }
    assert len(ids) == 2 and all(len(found) <= 256 for found in ids)
