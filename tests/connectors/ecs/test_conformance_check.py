"""The check of a document against ECS finds each kind of mistake, and lets what is ours alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GOOD = {
    "@timestamp": "2026-11-20T08:15:30.000Z",
    "ecs": {"version": "9.0.0"},
    "event": {"kind": "event", "category": ["iam"], "type": ["creation", "user"], "outcome": "success"},
    "related": {"ip": ["10.0.0.1", "2001:db8::1"]},
    "labels": {"truncated": "true"},
    "davylamp": {"whatever": {"is": [None, {}]}},
    "aws": {"cloudtrail": {"flattened": {"x": 1}}},
}


def test_a_good_document_conforms(problems):
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nobody": 1}, "nobody is no field"),
        ({"aws": {"other": 1}}, "aws.other is no field"),
        ({"source": {"addr": "x"}}, "source.addr is no field"),
        ({"source": {"ip": "AWS Internal"}}, "expected ip"),
        ({"source": {"port": "443"}}, "expected long"),
        ({"source": {"bytes": 2**63}}, "expected long"),
        ({"source": {"bytes": True}}, "expected long"),
        ({"source": {}}, "source is no field"),
        ({"user": {"name": ""}}, "user.name is empty"),
        ({"user": {"name": None}}, "user.name is empty"),
        ({"user": {"name": ["a"]}}, "is an array"),
        ({"user": {"name": {"a": "b"}}}, "expected keyword"),
        ({"user": {"name": "a" * 1025}}, "longer than 1024"),
        ({"user": {"roles": "admin"}}, "is no array"),
        ({"related": {"ip": ["x"]}}, "expected ip"),
        ({"network": {"direction": "sideways"}}, "not allowed"),
        ({"labels": {"a": {"b": "c"}}}, "labels is no flat object"),
        ({"@timestamp": "2026-11-20 08:15:30"}, "expected date"),
        ({"ecs": {}}, "ecs.version is missing"),
        ({"event": {**GOOD["event"], "kind": "nonsense"}}, "not allowed"),
        ({"event": {**GOOD["event"], "type": ["access"]}}, "access is not expected of iam"),
        ({"event": {**GOOD["event"], "category": ["iam", "web"]}}, "web has no type of its own"),
    ],
)
def test_each_mistake_is_found(problems, change, said):
    found = problems({**GOOD, **change})
    assert any(said in sentence for sentence in found), found


def run(*arguments):
    """Run the harness, return its exit code and figures."""
    command = [sys.executable, str(ROOT / "bench/ecs_conformance.py"), "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, json.loads(done.stdout)


def test_every_sample_of_the_repository_conforms():
    code, figures = run(ROOT / "tests/connectors/sources")
    assert (code, figures["violations"]) == (0, 0), figures["rows"]
    assert figures["documents"] > 100
    assert {kind for row in figures["rows"] for kind in row["sources"]} == {
        "cloudtrail",
        "kubernetes_audit",
        "istio_access",
        "vault_audit",
    }


def test_the_harness_can_fail(tmp_path):
    assert run(tmp_path)[0] == 1
