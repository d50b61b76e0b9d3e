"""Who stands behind a name, as each source states it; what is shared or claimed states nothing."""

from __future__ import annotations

import copy

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.outline_reader import OutlineReader
from detectors.event import Alias, Locator
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

AT = 1_792_995_200.0
SESSION = "arn:aws:sts::111122223333:assumed-role/admin/alice"
ALICE = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"}
TRAIL = {
    "eventVersion": "1.11",
    "eventID": "8f0c0000-0000-4000-8000-000000000001",
    "eventTime": "2026-10-26T06:13:20Z",
    "eventSource": "sts.amazonaws.com",
    "eventName": "AssumeRole",
    "userIdentity": ALICE,
    "responseElements": {
        "credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "x"},
        "assumedRoleUser": {"arn": SESSION, "assumedRoleId": "AROAEXAMPLE:alice"},
    },
}
AUDIT = {
    "auditID": "a-1",
    "stage": "ResponseComplete",
    "verb": "list",
    "stageTimestamp": "2026-10-26T06:13:20Z",
    "requestURI": "/api/v1/secrets",
    "user": {"username": "alice", "extra": {"arn": [SESSION]}},
    "objectRef": {"resource": "secrets"},
}
ENTRY = {
    "time": "2026-10-26T06:13:20Z",
    "type": "response",
    "request": {"id": "r-1", "path": "kv/data/x", "operation": "read"},
    "auth": {"accessor": "acc", "entity_id": "ent", "metadata": {"client_arn": SESSION}},
}
KINDS = {"cloudtrail": TRAIL, "kubernetes_audit": AUDIT, "vault_audit": ENTRY}


def stated(kind, record):
    source = profile(kind)
    return list(source.aliases_in(source.parse(copy.deepcopy(record), Locator("t", 0, 7, 0))))


def changed(record, **changes):
    return {**copy.deepcopy(record), **changes}


def test_a_role_session_and_its_key_act_for_who_assumed_it():
    caller = ("iam_principal", ALICE["arn"])
    assert stated("cloudtrail", TRAIL) == [
        Alias(("iam_principal", SESSION), caller, AT),
        Alias(("access_key", "ASIAEXAMPLE"), caller, AT),
    ]


def test_a_chained_session_acts_for_the_session_before_it():
    first = {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/first/alice"}
    [session, _] = stated("cloudtrail", changed(TRAIL, userIdentity=first))
    assert session.b == ("iam_principal", first["arn"])


def test_a_web_identity_is_the_service_account_whose_token_it_is():
    identity = {"type": "WebIdentityUser", "userName": "system:serviceaccount:shop:web", "principalId": "p"}
    record = changed(TRAIL, eventName="AssumeRoleWithWebIdentity", userIdentity=identity)
    assert {alias.b for alias in stated("cloudtrail", record)} == {("service_account", "shop/web")}


def test_a_session_of_pod_identity_acts_for_the_service_account_in_its_tags():
    tags = [
        {"key": "kubernetes-namespace", "value": "shop"},
        {"key": "kubernetes-service-account", "value": "web"},
    ]
    service = {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
    record = changed(TRAIL, userIdentity=service, requestParameters={"tags": tags})
    assert {alias.b for alias in stated("cloudtrail", record)} == {("service_account", "shop/web")}
    assert stated("cloudtrail", changed(record, userIdentity=ALICE))[0].b == ("iam_principal", ALICE["arn"])


@pytest.mark.parametrize(
    "changes",
    [
        {"errorCode": "AccessDenied"},
        {"eventSource": "iam.amazonaws.com"},
        {"eventName": "DecodeAuthorizationMessage"},
        {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}},
        {"userIdentity": {"type": "AWSAccount", "accountId": "999999999999", "principalId": "AIDAX"}},
        {"userIdentity": None},
        {"responseElements": None},
        {"responseElements": {"credentials": [], "assumedRoleUser": "x"}},
    ],
)
def test_what_hands_out_nothing_or_names_no_caller_states_nothing(changes):
    assert stated("cloudtrail", changed(TRAIL, **changes)) == []


def test_a_kubernetes_user_is_the_aws_identity_that_the_authenticator_took_it_for():
    assert stated("kubernetes_audit", AUDIT) == [Alias(("k8s_user", "alice"), ("iam_principal", SESSION), AT)]


@pytest.mark.parametrize(
    "user",
    [
        {"username": "system:node:ip-10-0-0-1", "extra": {"arn": [SESSION]}},
        {"username": "system:serviceaccount:shop:web", "extra": {"arn": [SESSION]}},
        {"username": "alice", "extra": {"arn": ["not an arn"]}},
        {"username": "alice", "extra": {"arn": [SESSION, "arn:aws:iam::1:user/bob"]}},
        {"username": "alice", "extra": {"arn": SESSION}},
        {"username": "alice", "extra": {"arn": ["arn:aws:iam::1:user/" + "x" * 300]}},
        {"username": "", "extra": {"arn": [SESSION]}},
    ],
)
def test_nodes_and_what_is_no_single_arn_state_nothing(user):
    assert stated("kubernetes_audit", changed(AUDIT, user=user)) == []


def test_what_a_caller_asks_to_be_taken_for_is_no_alias():
    asked = {"username": "bob", "extra": {"arn": ["arn:aws:iam::1:user/bob"]}}
    assert stated("kubernetes_audit", changed(AUDIT, impersonatedUser=asked)) == stated(
        "kubernetes_audit", AUDIT
    )


def test_a_vault_token_acts_for_the_aws_caller_that_logged_in():
    assert Alias(("vault_token", "acc"), ("iam_principal", SESSION), AT) in stated("vault_audit", ENTRY)
    assert not stated("vault_audit", changed(ENTRY, error="permission denied"))


def test_a_vault_entity_acts_for_its_service_account():
    metadata = {"service_account_name": "web", "service_account_namespace": "shop"}
    record = changed(ENTRY, auth={"accessor": "acc", "entity_id": "ent", "metadata": metadata})
    assert Alias(("vault_entity", "ent"), ("service_account", "shop/web"), AT) in stated(
        "vault_audit", record
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_in_outline_says_the_same_or_is_read_whole(kind):
    source = profile(kind)
    dispatch = Engine(RuleSet.load([])).dispatch(source)
    reader = OutlineReader(source.outline(), dispatch, source.aliases)
    glance = reader.read(orjson.dumps(KINDS[kind]))
    assert glance is None or list(glance[2]) == stated(kind, KINDS[kind])
    assert stated(kind, KINDS[kind])
