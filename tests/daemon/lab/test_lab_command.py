"""`davylamp lab list`, `run`, `score`: what they print and their exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from daemon.cli.lab import lab as group

RULE = """
title: Binding seen
id: 7d1c5c2e-3d0f-4a3c-9c2a-2f8d0f6f6a11
level: critical
status: test
logsource: {product: kubernetes, service: audit}
detection: {seen: {objectRef.resource: clusterrolebindings, verb: create}, condition: seen}
"""
ONE = ("--only", "k8s-admin-bound", "--background", "5", "--no-builtin")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rule.yml").write_text(RULE, encoding="utf-8")

    def call(*words):
        return CliRunner().invoke(group, [str(word) for word in words])

    return call


def test_list_shows_every_technique(run):
    result = run("list", "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert {"aws-trail-stopped", "k8s-flux-applies", "vault-sealed"} <= {row["id"] for row in rows}
    assert "vault-sealed" in run("list").stdout


def test_run_ends_with_0_when_all_is_found_and_with_1_when_something_is_missed(run):
    assert run("run", "--out", "lab", *ONE, "--rules", "rule.yml").exit_code == 0
    result = run("run", "--out", "lab", *ONE, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["techniques_missed"] == ["k8s-admin-bound"]


def test_run_says_a_technique_s_level_delay_and_rules(run):
    result = run("run", "--out", "lab", *ONE, "--rules", "rule.yml", "--json")
    (one,) = json.loads(result.stdout)["techniques"]
    assert one["found"] and one["level"] == "critical" and one["delay_s"] >= 0
    assert one["rules"] == {"Binding seen": "critical"}


def test_run_that_is_not_to_scan_only_writes(run, tmp_path):
    assert run("run", "--out", "lab", *ONE, "--no-scan").exit_code == 0
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {
        "cloudtrail.jsonl",
        "kubernetes_audit.jsonl",
        "istio_access.jsonl",
        "istio_access.log",
        "vault_audit.jsonl",
        "labels.json",
        "inventory.yaml",
    }


def test_score_reads_what_scan_prints(run, tmp_path):
    from daemon.cli.scan import scan

    run("run", "--out", "lab", *ONE, "--no-scan")
    words = [
        "lab/kubernetes_audit.jsonl",
        "--source",
        "kubernetes_audit",
        "--no-builtin",
        "--rules",
        "rule.yml",
    ]
    found = CliRunner().invoke(scan, [*words, "--json"])
    (tmp_path / "found.jsonl").write_text(found.stdout, encoding="utf-8")
    assert run("score", "found.jsonl", "lab/labels.json").exit_code == 0
    (tmp_path / "none.jsonl").write_text("", encoding="utf-8")
    assert run("score", "none.jsonl", "lab/labels.json").exit_code == 1


def test_an_unknown_technique_is_a_usage_error(run):
    result = run("run", "--out", "lab", "--only", "no-such")
    assert result.exit_code == 2
    assert "davylamp lab list" in result.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels", "{"),
        ("labels", "[]"),
        ("labels", "{}"),
        ("labels", '{"schema": "davylamp.lab/1"}'),
        (
            "labels",
            '{"schema": "davylamp.lab/1", "techniques": [{"id": 1}], "look_alikes": [], "counts": {}}',
        ),
        ("labels", '{"schema": "davylamp.lab/1", "techniques": [7], "look_alikes": [], "counts": {}}'),
        ("findings", "no json"),
        ("findings", "7"),
        ("findings", '{"finding_id": "x"}'),
        (
            "findings",
            '{"finding_id": "x", "event_time": "yesterday", "level": "low", "source": "cloudtrail"}',
        ),
        (
            "findings",
            '{"finding_id": "x", "event_time": "2026-01-01", "level": "loud", "source": "cloudtrail"}',
        ),
    ],
)
def test_a_file_that_is_none_of_ours_is_named_and_ends_with_3(run, tmp_path, name, text):
    run("run", "--out", "lab", *ONE, "--no-scan")
    (tmp_path / "findings").write_text("", encoding="utf-8")
    (tmp_path / "labels").write_bytes((tmp_path / "lab" / "labels.json").read_bytes())
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = run("score", "findings", "labels")
    assert result.exit_code == 3
    assert name in result.stderr


def test_a_file_that_is_not_there_ends_with_3(run):
    assert run("score", "nothing", "nowhere").exit_code == 3
