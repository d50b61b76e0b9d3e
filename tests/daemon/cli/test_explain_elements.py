"""`rules explain` names the element of an array and both names of a field; arrays never seen are blind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from connectors.sources.catalogue import profile
from daemon.cli.blind import Presence, blind_rules
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

RULE = """title: privileged
id: 11111111-1111-4111-8111-111111111111
sigma-version: 3
logsource: {product: kubernetes, service: audit}
detection:
  s:
    event.action: create
    requestObject.spec.containers[any]: {image|endswith: ':latest', securityContext.privileged: true}
  condition: s
"""
CONTAINERS = [
    {"image": "a:1", "securityContext": {"privileged": False}},
    {"image": "b:latest", "securityContext": {"privileged": False}},
]
RECORD = {
    "auditID": "a1",
    "stage": "ResponseComplete",
    "level": "RequestResponse",
    "verb": "create",
    "stageTimestamp": "2026-01-02T03:04:05.000000Z",
    "requestObject": {"spec": {"containers": CONTAINERS}},
}


def test_the_nearest_miss_names_the_element_and_the_alias_its_field(
    command: Callable[..., Any], saved: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    file = saved("audit.jsonl", [RECORD])
    words = ("rules", "explain", "rule", file, "--source", "kubernetes_audit", "--rules", "rule.yml")
    done = command(*words)
    assert done.returncode == 1, done.stderr
    assert "yes verb (event.action): create" in done.stdout
    assert "no  requestObject.spec.containers: one element that matches, of 2" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("nearest miss: no  requestObject.spec.containers[1].securityContext.privileged")
    told = orjson.loads(command(*words, "--json").stdout)
    block = told["tests"]["and"][1]
    assert (block["each"], block["count"], block["holds"]) == ("any", 2, False)
    assert [item["at"] for item in block["elements"]] == [
        "requestObject.spec.containers[0]",
        "requestObject.spec.containers[1]",
    ]


def test_a_block_over_an_array_that_never_occurs_is_blind() -> None:
    seen = Presence(10, frozenset({"verb"}), frozenset({"Metadata"}))
    kubernetes = profile("kubernetes_audit")
    asked, absent = (
        RuleSet.load([RuleDocument("r.yml", RULE.replace("[any]", quantifier))])
        for quantifier in ("[any]", "[none]")
    )
    assert [item.rule_id for item in blind_rules(asked, kubernetes, seen)] == [asked.rules[0].id]
    assert "keeps no bodies" in blind_rules(asked, kubernetes, seen)[0].reason
    assert blind_rules(absent, kubernetes, seen) == []
