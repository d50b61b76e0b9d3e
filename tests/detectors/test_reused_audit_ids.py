"""A caller-chosen audit id hides nothing: both events count, and a low finding says so."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Event, Locator
from detectors.reused_id import ReusedIds

AUDIT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "11111111-2222-4333-8444-555555555555",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/secrets",
    "verb": "list",
    "user": {"username": "ada"},
    "sourceIPs": ["10.0.0.7"],
    "objectRef": {"resource": "secrets", "namespace": "shop"},
    "responseStatus": {"code": 200},
    "stageTimestamp": "2026-05-01T10:00:00.000000Z",
    "requestReceivedTimestamp": "2026-05-01T10:00:00.000000Z",
}


def event(**changes: Any) -> Event:
    return profile("kubernetes_audit").parse(AUDIT | changes, Locator("t", 0, 0, 0))


def test_the_same_event_again_is_no_reuse() -> None:
    memory = ReusedIds()
    assert memory.finding(event()) is None
    assert memory.finding(event()) is None


def test_another_event_under_the_same_id_and_stage_is_a_low_finding_with_both_ids() -> None:
    memory = ReusedIds()
    first, second = event(), event(verb="delete")
    memory.finding(first)
    finding = memory.finding(second)
    assert finding is not None
    assert (finding.level, finding.status) == ("low", "final")
    assert finding.event_ids == (first.event_id, second.event_id)
    assert memory.finding(first) is None


def test_either_order_gives_the_same_finding_id() -> None:
    found = []
    for one, other in ((event(), event(verb="delete")), (event(verb="delete"), event())):
        memory = ReusedIds()
        memory.finding(one)
        found.append(memory.finding(other))
    assert found[0].finding_id == found[1].finding_id


@pytest.mark.parametrize("changes", [{"stage": "ResponseStarted"}, {"auditID": "another"}])
def test_other_stages_and_ids_are_other_events(changes: dict[str, str]) -> None:
    memory = ReusedIds()
    memory.finding(event())
    assert memory.finding(event(**changes)) is None


def test_the_memory_is_bounded() -> None:
    memory = ReusedIds(capacity=1)
    memory.finding(event())
    memory.finding(event(auditID="another"))
    assert memory.finding(event(verb="delete")) is None
