"""Who, whom, as whom and from where, of CloudTrail records; records about many calls; what was left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.ecs.event import event_document
from connectors.sources.catalogue import profile
from detectors.event import Locator

DATA = Path(__file__).parent.parent / "sources/data"
RECORDS = {
    case["case"]: case["record"]
    for name in ("cloudtrail", "cloudtrail_forms")
    for case in map(json.loads, (DATA / f"{name}.jsonl").read_text().splitlines())
}
CALL = RECORDS["get_secret"]


def document(record, origin=None):
    source = profile("cloudtrail")
    return event_document(source.parse(record, Locator("t", 0, 1, 0), origin or {}), "default", 0.0).body


def called(service, name, asked, **more):
    return document(
        {
            **CALL,
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "requestParameters": asked,
            **more,
        }
    )


def test_a_session_is_named_by_its_role():
    found = document(CALL)
    assert found["user"]["name"] == CALL["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"]
    assert found["user"]["id"] == CALL["userIdentity"]["principalId"]
    vendor = found["aws"]["cloudtrail"]["user_identity"]
    assert vendor["session_context"]["session_issuer"]["arn"].startswith("arn:aws:iam::")
    assert found["cloud"] == {
        "provider": "aws",
        "region": CALL["awsRegion"],
        "account": {"id": "111122223333"},
    }


def test_two_sessions_do_not_share_what_is_kept():
    one = called("iam", "CreateUser", {"userName": "eve"})
    other = called("iam", "ListUsers", {})
    assert one["user"]["target"] == {"name": "eve"} and "target" not in other["user"]


@pytest.mark.parametrize(
    ("service", "name", "asked", "part"),
    [
        ("iam", "CreateUser", {"userName": "eve"}, {"target": {"name": "eve"}}),
        ("iam", "UpdateUser", {"userName": "eve", "newUserName": "eva"}, {"changes": {"name": "eva"}}),
        ("iam", "AttachRolePolicy", {"roleName": "ops"}, {"target": {"name": "ops"}}),
        ("sts", "AssumeRole", {"roleArn": "arn:aws:iam::1:role/x/ops"}, {"effective": {"name": "ops"}}),
    ],
)
def test_whom_a_call_is_about(service, name, asked, part):
    found = called(service, name, asked)
    assert part.items() <= found["user"].items()
    assert next(iter(part.values()))["name"] in found["related"]["user"]


def test_a_group_of_people_is_a_group_and_a_security_group_is_none():
    assert called("iam", "AddUserToGroup", {"groupName": "admins"})["group"] == {"name": "admins"}
    assert "group" not in called("ec2", "CreateSecurityGroup", {"groupName": "web"})


def test_an_instance_is_named():
    found = called("ec2", "GetPasswordData", {"instanceId": "i-0abc"})
    assert found["cloud"]["instance"] == {"id": "i-0abc"} and found["event"]["category"] == ["host"]


def test_a_hidden_name_is_no_name():
    found = document(RECORDS["hidden_sign_in"])
    assert "HIDDEN" not in json.dumps(found.get("user", {})) + json.dumps(found.get("related", {}))


def test_an_error_is_told_twice_for_rules_of_both_kinds():
    found = document(RECORDS["bucket_denied"])
    assert found["error"]["code"] == found["aws"]["cloudtrail"]["error_code"]
    assert found["event"]["outcome"] == "failure"


def test_tls():
    tls = {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": "s3.a.com",
    }
    assert document({**CALL, "tlsDetails": tls})["tls"] == {
        "version": "1.3",
        "version_protocol": "tls",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "client": {"server_name": "s3.a.com"},
    }


def test_an_insight_is_an_observation_of_the_call_it_counts():
    found = document(RECORDS["insight_start"])
    event = found["event"]
    assert (event["category"], event["type"]) == (["intrusion_detection"], ["info"])
    assert (event["provider"], event["action"]) == ("s3.amazonaws.com", "DeleteObject")
    assert event["reason"] == "ApiCallRateInsight Start"
    assert found["aws"]["cloudtrail"]["insight_details"]["state"] == "Start"
    assert found["cloud"]["account"]["id"] == "111122223333"


@pytest.mark.parametrize("name", ["aggregated_calls", "aggregated_resources"])
def test_an_aggregate_lasts_from_its_first_to_its_last_moment(name):
    event = document(RECORDS[name])["event"]
    assert event["start"] < event["end"] == document(RECORDS[name])["@timestamp"]
    assert event["duration"] % 60_000_000_000 == 0 and event["category"] == ["intrusion_detection"]


def test_a_body_that_cloudtrail_left_out_is_labelled():
    found = document(RECORDS["omitted_bodies"])
    assert "request_parameters" in found["labels"]["omitted"]


def test_a_body_that_is_too_long_for_a_field_is_labelled_and_nowhere_else():
    found = called("s3", "PutBucketPolicy", {"a": ["b" * 500] * 70})
    assert found["labels"]["left_out"] == "request_parameters"
    assert "request_parameters" not in found["aws"]["cloudtrail"].get("flattened", {})


@pytest.mark.parametrize(
    ("value", "told"), [(True, True), ("true", True), ("false", False), ("perhaps", None)]
)
def test_booleans_that_arrive_as_texts(value, told):
    assert document({**CALL, "readOnly": value})["aws"]["cloudtrail"].get("read_only") is told


def test_the_envelope_fills_in_what_the_record_does_not_say():
    origin = {"account": "999999999999", "region": "eu-north-1", "cluster": "prod", "node": "n1"}
    found = document({key: value for key, value in CALL.items() if key != "awsRegion"}, origin)
    assert found["cloud"]["account"]["id"] == "111122223333" and found["cloud"]["region"] == "eu-north-1"
    assert found["orchestrator"]["cluster"]["name"] == "prod" and found["host"]["name"] == "n1"
