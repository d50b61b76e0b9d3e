"""Stages of a request, how it ended, who is not known, and the wrappings of EKS and AKS."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from connectors.sources.catalogue import profile
from connectors.sources.envelope import unpack
from connectors.sources.reject import Reason
from detectors.event import Entity, Event, Locator

DATA = Path(__file__).parent / "data/kubernetes_audit.jsonl"
RULES = Path(__file__).parents[3] / "detectors/rules/kubernetes_audit"
RECORDS = {case["case"]: case["record"] for case in map(json.loads, DATA.read_text().splitlines())}
AUDIT = profile("kubernetes_audit")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete")


def audit(name: str, **changes: Any) -> Event:
    return AUDIT.parse({**RECORDS[name], **changes}, Locator("t", 0, 7, 0))


def test_one_request_is_one_event_a_stage():
    found = [audit("exec", stage=stage) for stage in STAGES]
    assert len({event.event_id for event in found}) == 3
    assert [event.event_id.split("/")[1] for event in found] == list(STAGES)


def test_an_id_and_stage_of_the_callers_choice_keep_their_place_in_the_event_id():
    event = audit("exec", auditID="a/b\n" * 9, stage="../../x")
    audit_id, stage, mark = event.event_id.split("/")
    assert audit_id.startswith("x-") and stage.startswith("x-") and len(mark) == 16


@pytest.mark.parametrize("key", ["stageTimestamp", "requestURI", "verb", "user", "responseStatus"])
def test_what_the_server_set_makes_another_event_of_the_same_audit_id(key):
    other = {
        "stageTimestamp": "2026-11-23T05:00:46.2Z",
        "user": {"username": "other"},
        "responseStatus": {"code": 500},
    }
    assert audit("exec").event_id != audit("exec", **{key: other.get(key, "other")}).event_id


@pytest.mark.parametrize("key", ["userAgent", "sourceIPs", "requestObject"])
def test_what_a_caller_writes_does_not(key):
    assert audit("exec").event_id == audit("exec", **{key: ["198.51.100.9"]}).event_id


def test_every_rule_says_which_stages_it_counts():
    """A request gives up to three events: a rule without a stage would count it as often."""
    for path in RULES.glob("*.yml"):
        for rule in yaml.safe_load_all(path.read_text()):
            if "detection" in rule:
                assert '"stage' in json.dumps(rule["detection"]), path.name


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"stage": "Panic", "responseStatus": {"code": 500}}, "failure"),
        ({"stage": "Panic", "responseStatus": None}, "failure"),
        ({"stage": "ResponseStarted", "responseStatus": {"code": 101}}, "success"),
        ({"stage": "ResponseStarted", "responseStatus": {"code": 200}, "verb": "watch"}, "success"),
        ({"stage": "RequestReceived", "responseStatus": None}, "unknown"),
        ({"responseStatus": {"code": 401}, "annotations": None}, "failure"),
        ({"responseStatus": {"code": 0}, "annotations": None}, "unknown"),
    ],
)
def test_outcome_by_stage_and_code(change, outcome):
    assert AUDIT.outcome(audit("exec", **change)) == outcome


def test_a_failed_authentication_has_an_address_and_no_user():
    """The server writes `user: {}`; that is not the anonymous user, who is authenticated as such."""
    event = audit("unauthenticated")
    assert AUDIT.entities(event) == [Entity("address", "203.0.113.77", "source")]
    assert AUDIT.summary(event).startswith(
        "an unauthenticated caller did get on the path /api from 203.0.113.77"
    )


def test_the_anonymous_user_is_a_user():
    assert AUDIT.entities(audit("forbidden"))[0] == Entity("k8s_user", "system:anonymous", "actor")


def test_an_event_that_says_nothing_of_anybody_still_has_an_entity():
    event = audit("unauthenticated", sourceIPs=None)
    assert AUDIT.entities(event) == [Entity("k8s_user", "system:anonymous", "actor")]


def test_impersonation_names_both_the_real_one_first():
    event = audit("impersonated")
    names = [entity.id for entity in AUDIT.entities(event) if entity.type == "k8s_user"]
    assert names == ["katrin.vogel@terraminer.example", "kubernetes-admin"]
    assert "katrin.vogel@terraminer.example as kubernetes-admin did list" in AUDIT.summary(event)


def test_a_request_without_object_is_named_by_its_path_without_its_query():
    event = audit("forbidden", requestURI="/logs/kube?token=geheim", objectRef=None)
    said = AUDIT.summary(event)
    assert "the path /logs/kube from" in said and "geheim" not in said


def test_extra_keys_with_dots_are_one_key():
    extra = RECORDS["bound_pod"]["user"]["extra"]
    assert "authentication.kubernetes.io/pod-name" in extra
    assert Entity("pod", "frontend/web-portal-78bc776c74-n658b", "actor") in AUDIT.entities(
        audit("bound_pod")
    )


@pytest.mark.parametrize("addresses", [[], [7], None, "203.0.113.77", ["203.0.113.77", None], ["no address"]])
def test_a_list_of_peers_that_is_wrong_names_none(addresses):
    found = AUDIT.entities(audit("exec", sourceIPs=addresses))
    assert not [entity for entity in found if entity.type == "address"]


def test_one_bad_item_of_an_event_list_does_not_lose_the_others():
    good = [RECORDS["exec"], RECORDS["binding"]]
    bad = [{**RECORDS["exec"], "stageTimestamp": "soon"}, 7]
    items = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [good[0], *bad, good[1]]}
    found = unpack(orjson.dumps(items), AUDIT, "t", 0, 1)
    assert [event.fields for event in found.events] == good
    assert [reject.reason for reject in found.rejects] == [Reason.BAD_TIME, Reason.WRONG_TYPE]


def test_eks_comes_with_account_and_cluster():
    line = orjson.dumps(RECORDS["exec"]).decode()
    subscription = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/aws/eks/terraminer/cluster",
        "logStream": "kube-apiserver-audit-0123456789abcdef",
        "subscriptionFilters": ["all"],
        "logEvents": [{"id": "1", "timestamp": 1795410046156, "message": line}],
    }
    found = unpack(gzip.compress(orjson.dumps(subscription)), AUDIT, "t", 0, 1)
    assert [event.fields for event in found.events] == [RECORDS["exec"]]
    assert found.events[0].origin["account"] == "111122223333"
    assert found.events[0].origin["cluster"] == "terraminer"


@pytest.mark.parametrize("category", ["kube-audit", "kube-audit-admin"])
def test_aks_comes_with_subscription_and_cluster(category):
    row = {
        "time": "2026-11-23T05:00:46.2Z",
        "category": category,
        "resourceId": "/SUBSCRIPTIONS/AAAA-0000/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE"
        "/MANAGEDCLUSTERS/TERRAMINER",
        "properties": {"log": orjson.dumps(RECORDS["exec"]).decode() + "\n", "stream": "stdout"},
    }
    found = unpack(orjson.dumps({"records": [row]}), AUDIT, "t", 0, 1)
    assert [event.fields for event in found.events] == [RECORDS["exec"]]
    assert found.events[0].origin["account"] == "aaaa-0000"
    assert found.events[0].origin["cluster"] == "TERRAMINER"
