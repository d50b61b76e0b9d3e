"""`siem check` against a double: what is wrong is named, and nothing is raised."""

from __future__ import annotations

import time

import pytest

from config.forwarding import ElasticsearchTarget
from connectors.ecs import conformance
from connectors.siem.catalogue import target_of
from connectors.siem.check import check, probe
from connectors.siem.templates import templates

from .test_siem_templates import HERE

HEALTH = "GET /_cat/health"
SEARCH = "POST /logs-davylamp.audit-default/_search"


async def slept(seconds):
    return None


@pytest.fixture
async def siem(double):
    found = target_of(ElasticsearchTarget(urls=(double.url,)), "default", lambda: 0.5)
    await found.open()
    yield found
    await found.close()


async def run(siem):
    return {one.name: one for one in await check(siem, time.time, slept)}


def test_the_probe_is_ecs_and_no_alert():
    document = probe("default", 1_790_000_000.0)
    ecs = conformance.FieldSet.load(HERE.parent / "ecs" / "data" / "ecs_fields.json")
    assert conformance.problems(document.body, ecs) == []
    event = document.body["event"]
    assert event["kind"] == "event" and "severity" not in event and document.stream == "audit"
    assert probe("default", 0.0).id != probe("default", 0.0).id


async def test_a_clock_that_is_wrong_is_named(double, siem):
    double.others[HEALTH] = (200, [{"epoch": str(int(time.time()) + 605)}])
    found = (await run(siem))["clock"]
    assert found.passed is False and "+60" in found.detail


@pytest.mark.parametrize("answer", [b"", b"[]", b'[{"epoch":"x"}]', b"{}", b"\xff"])
async def test_a_clock_that_cannot_be_seen_is_no_failure(double, siem, answer):
    double.others[HEALTH] = (200, answer)
    assert (await run(siem))["clock"].passed is None


async def test_missing_templates_and_a_document_that_is_not_found_are_named(double, siem):
    double.others[SEARCH] = (200, {"hits": {"hits": []}})
    found = await run(siem)
    assert found["templates"].passed is False and "bootstrap" in found["templates"].detail
    assert found["write"].passed is True
    assert found["read"].passed is False and "not found" in found["read"].detail


async def test_a_document_that_came_back_changed_is_named(double, siem):
    double.others[SEARCH] = (200, {"hits": {"hits": [{"_source": {"message": "other"}}]}})
    assert "changed" in (await run(siem))["read"].detail


async def test_a_template_of_higher_priority_is_named(double, siem):
    for template in templates("elasticsearch"):
        lists = f"{template.kind}_templates", f"{template.kind}_template"
        double.others[f"GET {template.path}"] = (
            200,
            {lists[0]: [{"name": template.name, lists[1]: template.body}]},
        )
    path = "POST /_index_template/_simulate_index/logs-davylamp.events-default"
    double.others[path] = (200, {"template": {"mappings": {}}, "overlapping": []})
    found = (await run(siem))["templates"]
    assert found.passed is False and "logs-davylamp.events-default" in found.detail


async def test_a_refused_document_is_named(double, siem):
    double.faults = [lambda _: (200, {"errors": True, "items": [{"create": {"status": 400, "error": {}}}]})]
    found = await run(siem)
    assert found["write"].passed is False and "read" not in found


async def test_a_target_that_is_away_is_one_finding(double, siem):
    await double.stop()
    found = await run(siem)
    assert list(found) == ["reachable"] and found["reachable"].passed is False
