"""Findings, incidents and decisions as documents, shaped as Elastic's "External Alerts" rule wants them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from connectors.ecs.audit import NotAnAuditEntryError, audit_document
from connectors.ecs.finding import alert_document
from connectors.ecs.incident import NotAnIncidentError, incident_document
from detectors.event import Entity
from detectors.finding import Finding

FINDING = Finding(
    rule_id="1f2d3c4b-0000-4000-8000-000000000001",
    title="Shell in a pod",
    level="high",
    base_level="high",
    status="provisional",
    source="kubernetes_audit",
    event_id="e1",
    event_ids=("e1",),
    event_time=1_795_000_000.0,
    first_time=1_795_000_000.0,
    last_time=1_795_000_001.5,
    count=1,
    entities=(
        Entity("pod", "terraminer-data/db-0", "target"),
        Entity("k8s_user", "mira", "actor"),
        Entity("address", "10.0.0.5", "source"),
    ),
    attack=("T1609", "T1552.007", "credential-access"),
    explain="mira did get on terraminer-data/pods/db-0/exec",
    finding_id="8c7f0000-0000-8000-8000-000000000001",
)
INCIDENT = {
    "schema": "davylamp.incident/1",
    "incident_id": "i-1",
    "number": 4,
    "key": "default/pod-exec/pod:terraminer-data/db-0/1",
    "version": 3,
    "status": "contained",
    "level": "critical",
    "title": "Shell in a pod",
    "playbook": {"id": "pod-exec", "version": "1"},
    "primary": {"type": "pod", "id": "terraminer-data/db-0"},
    "first_event_at": "2026-11-20T08:15:30.000Z",
    "last_event_at": "2026-11-20T08:15:40.000Z",
    "opened_at": "2026-11-20T08:15:41.000Z",
    "contained_at": "2026-11-20T08:15:50.000Z",
    "closed_at": None,
    "entities": [{"type": "address", "id": "10.0.0.5", "role": "source"}, {"type": 7}],
    "attack": ["T1609"],
    "finding_ids": ["f1"],
    "actions": [{"action_id": "a", "state": "succeeded", "grade": "A"}],
}
ENTRY = {
    "schema": "davylamp.audit/1",
    "id": "d-1",
    "seq": 9,
    "at": "2026-11-20T08:15:30.000Z",
    "actor": "alice",
    "action": "action.approve",
    "subject": "a-1",
    "outcome": "refused",
    "detail": {"password": "hunter2"},
    "hash": "00",
    "previous_hash": "00",
}


@pytest.mark.parametrize(("level", "severity"), [("low", 21), ("medium", 47), ("high", 73), ("critical", 99)])
def test_alert(problems, level, severity):
    found = alert_document(replace(FINDING, level=level), "default", 1_800_000_000.0)
    assert found is not None and problems(found.body) == []
    event = found.body["event"]
    assert (event["kind"], event["severity"], event["risk_score"]) == ("alert", severity, float(severity))
    assert found.body["message"] == "Shell in a pod" and event["reason"] == FINDING.explain
    assert event["ingested"] and event["module"] == "davylamp"
    assert found.body["rule"]["id"] == FINDING.rule_id
    assert found.body["user"]["name"] == "mira" and found.body["source"]["ip"] == "10.0.0.5"
    assert found.stream == "alerts" and found.body["data_stream"]["dataset"] == "davylamp.alerts"


def test_threat_names_techniques_and_below():
    found = alert_document(FINDING, "default", 0.0)
    assert found is not None
    assert found.body["threat"]["technique"]["id"] == ["T1609", "T1552"]
    assert found.body["threat"]["technique"]["subtechnique"]["id"] == ["T1552.007"]
    assert found.body["threat"]["tactic"] == {
        "id": ["TA0006"],
        "name": ["Credential Access"],
        "reference": ["https://attack.mitre.org/tactics/TA0006/"],
    }


def test_an_informational_finding_is_no_alert():
    assert alert_document(replace(FINDING, level="informational"), "default", 0.0) is None


def test_a_final_is_another_document_than_its_provisional():
    one, other = (
        alert_document(replace(FINDING, status=status), "d", 0.0) for status in ("provisional", "final")
    )
    assert one is not None and other is not None and one.id != other.id
    assert one == alert_document(FINDING, "d", 0.0)


def test_nothing_of_elastics_own_alerts_is_written():
    found = alert_document(FINDING, "default", 0.0)
    assert found is not None and b"kibana" not in found.payload and b'"signal"' not in found.payload


def test_incident(problems):
    found = incident_document(INCIDENT, "prod", 1_800_000_000.0)
    assert problems(found.body) == []
    assert found.id == "i-1/3" and found.body["event"]["sequence"] == 3 and found.body["event"]["id"] == "i-1"
    assert found.body["@timestamp"] == "2026-11-20T08:15:50.000Z"
    assert found.body["davylamp"]["incident"]["number"] == 4
    assert found.body["source"]["ip"] == "10.0.0.5"


def test_audit(problems):
    found = audit_document(ENTRY, "prod", 1_800_000_000.0)
    assert problems(found.body) == []
    assert found.id == "d-1" and found.body["event"]["outcome"] == "failure"
    assert b"hunter2" not in found.payload


@pytest.mark.parametrize(
    ("action", "outcome", "category", "kind"),
    [
        ("action.approve", "allowed", ["configuration"], ["change"]),
        ("action.approve", "refused", ["api"], ["denied"]),
        ("session.open", "allowed", ["session"], ["start"]),
        ("session.close", "done", ["session"], ["end"]),
        ("session.open", "refused", ["api"], ["denied"]),
    ],
)
def test_kinds_of_decisions(problems, action, outcome, category, kind):
    found = audit_document({**ENTRY, "action": action, "outcome": outcome}, "prod", 0.0)
    assert problems(found.body) == []
    assert (found.body["event"]["category"], found.body["event"]["type"]) == (category, kind)


@pytest.mark.parametrize(
    "source", ["cloudtrail", "kubernetes_audit", "istio_access", "vault_audit", "another"]
)
def test_an_alert_of_each_source_conforms(problems, source):
    entities = (*FINDING.entities, Entity("iam_principal", "arn:aws:iam::1:user/eve", "target"))
    found = alert_document(replace(FINDING, source=source, entities=entities), "default", 0.0)
    assert found is not None and problems(found.body) == []
    assert found.body["user"]["target"]["name"] == "arn:aws:iam::1:user/eve"


@pytest.mark.parametrize("status", ["open", "contained", "closed"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_state_of_an_incident_conforms(problems, status, version):
    found = incident_document({**INCIDENT, "status": status, "version": version}, "prod", 0.0)
    assert problems(found.body) == []


@pytest.mark.parametrize("key", ["incident_id", "version", "opened_at", "last_event_at"])
def test_half_an_incident_is_refused(key):
    with pytest.raises(NotAnIncidentError):
        incident_document({name: value for name, value in INCIDENT.items() if name != key}, "d", 0.0)


@pytest.mark.parametrize("change", [{"id": None}, {"at": "yesterday"}, {"actor": 7}])
def test_half_a_decision_is_refused(change):
    with pytest.raises(NotAnAuditEntryError):
        audit_document({**ENTRY, **change}, "d", 0.0)
