"""The document of a canary that came through: ECS, beside the alerts, promoted by nothing."""

from __future__ import annotations

from connectors.ecs.canary import canary_document
from detectors.canary.finding import RULES
from detectors.event import Entity
from detectors.finding import Finding

FINDING = Finding(
    rule_id=RULES["cloudtrail"],
    title="Event that looks like a canary of Davylamp",
    level="informational",
    base_level="informational",
    status="final",
    source="cloudtrail",
    event_id="e1",
    event_ids=("e1",),
    event_time=1_795_000_200.0,
    first_time=1_795_000_200.0,
    last_time=1_795_000_200.0,
    count=1,
    entities=(Entity("host", "kafka/aws.cloudtrail/0", "source"),),
    attack=("T1036",),
    explain="x",
    finding_id="8c7f0000-0000-8000-8000-000000000001",
    labels={"canary": "cloudtrail"},
)


def test_it_is_an_event_and_no_alert(problems):
    found = canary_document(FINDING, "default", 1_795_000_201.0)
    assert problems(found.body) == []
    assert found.stream == "alerts" and found.id == f"{FINDING.finding_id}/final"
    assert found.body["event"]["kind"] == "event" and "severity" not in found.body["event"]
    assert found.body["message"] == "Canary of cloudtrail came through"
