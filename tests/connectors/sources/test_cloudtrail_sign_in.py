"""How sign-ins and calls end, also where CloudTrail says it in words, and what it hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.sources.catalogue import profile
from connectors.sources.cloudtrail_values import omitted, truth
from detectors.event import Entity, Event, Locator

FORMS = Path(__file__).parent / "data/cloudtrail_forms.jsonl"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, FORMS.read_text().splitlines())}
CLOUDTRAIL = profile("cloudtrail")


def form(name: str, **changes: object) -> Event:
    return CLOUDTRAIL.parse({**RECORDS[name], **changes}, Locator("t", 0, 7, 0))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("hidden_sign_in", "failure"),
        ("sign_in_without_mfa", "success"),
        ("mfa_refused", "failure"),
        ("identity_center_refused", "failure"),
        ("identity_center_session", "success"),
        ("error_in_answer", "failure"),
        ("internal_service", "success"),
    ],
)
def test_outcome(name, outcome):
    assert CLOUDTRAIL.outcome(form(name)) == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"ConsoleLogin": "Failure"}, "failure"),
        ({"ConsoleLogin": "Success"}, "success"),
        ({"ConsoleLogin": "Perhaps"}, "unknown"),
        ({"ConsoleLogin": None}, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_console_login_ends_as_its_answer_says(answer, outcome):
    assert CLOUDTRAIL.outcome(form("sign_in_without_mfa", responseElements=answer)) == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"_return": True}, "success"),
        ({"_return": False}, "failure"),
        ({"errorCode": "Throttled"}, "failure"),
        ({"errorMessage": "no"}, "failure"),
        ({"errorCode": None, "error": ""}, "success"),
        ("a text", "success"),
    ],
)
def test_an_error_in_the_answer_is_a_failure(answer, outcome):
    assert CLOUDTRAIL.outcome(form("error_in_answer", responseElements=answer)) == outcome


def test_a_hidden_user_name_is_nobody():
    """What was typed may have been a password: neither the mark nor the account stands for a person."""
    found = form("hidden_sign_in")
    entities = CLOUDTRAIL.entities(found)
    assert entities == [Entity("address", "198.51.100.23", "source")]
    assert "HIDDEN" not in CLOUDTRAIL.summary(found)


def test_a_hidden_sign_in_without_address_still_has_an_entity():
    found = form("hidden_sign_in", sourceIPAddress=None)
    assert CLOUDTRAIL.entities(found) == [Entity("iam_principal", "111122223333", "actor")]


def test_a_sign_in_without_mfa_says_so():
    assert CLOUDTRAIL.summary(form("sign_in_without_mfa")).endswith(" without MFA")
    with_mfa = form("sign_in_without_mfa", additionalEventData={"MFAUsed": "Yes"})
    assert "MFA" not in CLOUDTRAIL.summary(with_mfa)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(True, True), (False, False), ("true", True), ("False", False), ("Yes", True), ("No", False)],
)
def test_a_boolean_may_be_written_as_text(written, meant):
    assert truth(written) is meant


@pytest.mark.parametrize("written", [None, 1, 0, "", "maybe", [], {}, "true" * 1000])
def test_what_is_no_boolean_is_none(written):
    assert truth(written) is None


def test_bodies_left_out_for_their_size_are_named():
    found = form("omitted_bodies")
    assert omitted(found.fields) == ("requestParameters", "additionalEventData")
    said = CLOUDTRAIL.summary(found)
    assert said.endswith("(requestParameters, additionalEventData left out for size)")
    assert omitted(form("error_in_answer").fields) == ()
