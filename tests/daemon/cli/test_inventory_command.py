"""`davylamp inventory show` and `scan --inventory`."""

from __future__ import annotations

import json

import orjson
from click.testing import CliRunner

from daemon.cli.main import cli

RULE = """title: Written by somebody else
id: 1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c11
logsource: {product: kubernetes, service: audit}
detection:
  write: {verb: create}
  known: {user.username|expand: '%kubernetes_ci%'}
  condition: write and not known
level: high
"""


def test_classes_are_listed_with_what_a_file_adds(tmp_path):
    (tmp_path / "i.yaml").write_text("kubernetes_ci: [robot]\n")
    done = CliRunner().invoke(cli, ["inventory", "show", "--json", "--inventory", str(tmp_path / "i.yaml")])
    rows = {row["class"]: row for row in json.loads(done.output)["classes"]}
    assert rows["kubernetes_ci"]["added"] == ["robot"]
    assert "system:node:*" in rows["kubernetes_nodes"]["shipped"]


def test_scan_makes_exceptions_for_who_is_in_the_inventory(tmp_path):
    (tmp_path / "rule.yml").write_text(RULE)
    (tmp_path / "i.yaml").write_text("kubernetes_ci: [robot]\n")
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": "ResponseComplete",
        "verb": "create", "stageTimestamp": "2026-01-01T00:00:00Z", "user": {"username": "robot"},
    }  # fmt: skip
    (tmp_path / "e.jsonl").write_bytes(orjson.dumps(event))
    common = ["scan", str(tmp_path / "e.jsonl"), "--source", "kubernetes_audit", "--no-builtin"]
    common += ["--rules", str(tmp_path / "rule.yml")]
    assert CliRunner().invoke(cli, common).exit_code == 1
    known = CliRunner().invoke(cli, [*common, "--inventory", str(tmp_path / "i.yaml")])
    assert known.exit_code == 0, known.output
