"""`rules coverage`: techniques by source, a Navigator layer, and the rules that are blind on some data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sources.catalogue import KINDS, profile
from daemon.cli.blind import Presence, blind_rules, observe, paths_of
from daemon.cli.rule_test import events_of
from detectors.rules import builtin
from detectors.rules.cases import builtin_cases
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

HEAD = "title: t{0}\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9c{0:02d}\nlevel: low\nname: n{0}\n"
BODY = HEAD + "logsource: {{product: kubernetes, service: audit}}\ndetection: {1}\n"


def rules(*detections: str, more: str = "") -> RuleSet:
    text = "---\n".join(BODY.format(number, given) for number, given in enumerate(detections))
    loaded = RuleSet.load([RuleDocument("rules.yml", text + more)])
    assert not loaded.refusals
    return loaded


def blind(loaded: RuleSet, *paths: str, levels: tuple[str, ...] = ()) -> dict[str, str]:
    seen = Presence(1, frozenset(paths), frozenset(levels))
    return {item.title: item.reason for item in blind_rules(loaded, profile("kubernetes_audit"), seen)}


@pytest.mark.parametrize(
    ("detection", "why"),
    [
        ("{s: {verb: get, gone: x}, condition: s}", "gone"),
        ("{s: {gone: x}, t: {missing: y}, condition: s or t}", "gone, missing"),
        ("{s: {verb: get}, t: {gone|exists: true}, condition: s and t}", "gone"),
        ("{s: {gone: null}, condition: not s}", "gone"),
        ("{s: {verb|fieldref: gone}, condition: s}", "gone"),
        ("{s: {gone|contains|all: [a, b]}, condition: s}", "gone"),
    ],
)
def test_a_rule_that_needs_what_never_occurs_is_blind(detection: str, why: str) -> None:
    assert blind(rules(detection), "verb") == {"t0": f"never in this data: {why}"}


@pytest.mark.parametrize(
    "detection",
    [
        "{s: {verb: get}, t: {gone: x}, condition: s and not t}",
        "{s: {verb: get}, t: {gone: x}, condition: s or t}",
        "{s: {gone: null}, condition: s}",
        "{s: {gone|exists: false}, condition: s}",
        "{s: {gone|neq: x}, condition: s}",
        "{s: [anywhere], condition: s}",
        "{s: {verb: value-that-never-occurs}, condition: s}",
    ],
)
def test_a_rule_that_may_still_match_is_not_called_blind(detection: str) -> None:
    assert blind(rules(detection), "verb") == {}


def test_an_alias_counts_as_the_field_that_it_names() -> None:
    loaded = rules("{s: {resource: pods}, condition: s}")
    assert paths_of(loaded, profile("kubernetes_audit")) == {"objectRef.resource"}
    assert blind(loaded, "objectRef.resource") == {}
    assert blind(loaded) == {"t0": "never in this data: objectRef.resource"}


def test_a_correlation_is_blind_with_the_rules_that_it_needs() -> None:
    seen, unseen = "{s: {verb: get}, condition: s}", "{s: {gone: x}, condition: s}"
    more = (
        "---\n"
        + HEAD.format(7)
        + ("correlation: {type: temporal, rules: [n0, n1], group-by: [verb], timespan: 1m}\n")
    )
    assert set(blind(rules(seen, unseen, more=more), "verb")) == {"t1", "t7"}
    counting = more.replace("temporal,", "event_count, condition: {gte: 2},")
    assert set(blind(rules(seen, unseen, more=counting), "verb")) == {"t1"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_shipped_rule_is_called_blind_on_the_events_that_it_must_match(kind: str) -> None:
    documents = {document.path: document for document in builtin()}
    loaded = RuleSet.load(documents.values())
    source = profile(kind)
    events = [
        event
        for document in documents.values()
        for records in builtin_cases(document).match
        for event in events_of(records)
        if event.source == kind
    ]
    seen = observe(events, paths_of(loaded, source))
    assert len(events) > 5 and seen.events == len(events)
    assert blind_rules(loaded, source, seen) == []


def test_rules_for_bodies_are_blind_at_level_metadata_and_the_level_is_named(
    command: Callable[..., Any], saved: Callable[..., Path]
) -> None:
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "00000000-0000-4000-8000-000000000001",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "user": {"username": "eve"},
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"code": 201},
        "stageTimestamp": "2026-05-01T10:00:00Z",
    }
    words = ("rules", "coverage", "--source", "kubernetes_audit", "--json", "--data")
    found = orjson.loads(command(*words, saved("thin.jsonl", [event])).stdout)
    reasons = {item["title"]: item["reason"] for item in found["blind"]}
    assert found["data"] == {"events": 1, "audit_levels": ["Metadata"]}
    assert "the audit level is Metadata, which keeps no bodies" in reasons["Pod with rights over its node"]
    pod = {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}
    full = event | {"level": "Request", "requestObject": pod}
    found = orjson.loads(command(*words, saved("full.jsonl", [event, full])).stdout)
    assert "Pod with rights over its node" not in {item["title"] for item in found["blind"]}


def test_techniques_by_source_and_a_navigator_layer(command: Callable[..., Any], tmp_path: Path) -> None:
    done = command("rules", "coverage", "--json", "--navigator", "layer.json")
    table = orjson.loads(done.stdout)["techniques"]
    assert done.returncode == 0
    assert set(table["T1685.002"]) >= {"cloudtrail", "kubernetes_audit"}
    layer = orjson.loads((tmp_path / "layer.json").read_bytes())
    assert layer["versions"]["layer"] == "4.5" and layer["domain"] == "enterprise-attack"
    scores = {entry["techniqueID"]: entry["score"] for entry in layer["techniques"]}
    assert set(scores) == set(table)
    assert scores["T1685.002"] == sum(map(len, table["T1685.002"].values()))
    assert layer["gradient"]["maxValue"] == max(scores.values())
    assert "T1685.002" in command("rules", "coverage").stdout


def test_a_blind_rule_does_not_count_in_the_layer(
    command: Callable[..., Any],
    saved: Callable[..., Path],
    rule: Callable[..., Path],
    tmp_path: Path,
    trail_event: Callable[..., Any],
) -> None:
    rule("r/a.yml", 1, "ListTrails", tags="attack.t1685.002")
    blind_one = rule("r/b.yml", 2, "ListTrails", tags="attack.t1685.002")
    blind_one.write_text(blind_one.read_text().replace("eventName: ListTrails", "gone: x"))
    data = saved("trail.jsonl", [trail_event(1, "ListTrails")])
    words = ("rules", "coverage", "--no-builtin", "--rules", "r", "--navigator", "layer.json")
    command(*words, "--data", data, "--source", "cloudtrail")
    [entry] = orjson.loads((tmp_path / "layer.json").read_bytes())["techniques"]
    assert entry == {"techniqueID": "T1685.002", "score": 1, "comment": "cloudtrail: 2; blind: 1"}


def test_data_without_events_says_so_instead_of_calling_all_rules_blind(
    command: Callable[..., Any], saved: Callable[..., Path]
) -> None:
    data = saved("other.jsonl", [{"nothing": 1}])
    done = command("rules", "coverage", "--data", data, "--source", "cloudtrail")
    assert done.returncode == 2 and "holds no event of cloudtrail" in done.stderr
    assert command("rules", "coverage", "--data", data).returncode == 2
