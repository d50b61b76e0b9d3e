"""`rules diff`: findings that a change of rules adds, drops, alters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

COUNT = """\
---
title: Many
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9d09
level: high
correlation: {{type: event_count, rules: [5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a05], group-by: [awsRegion], timespan: {span}, condition: {{gte: 3}}}}
"""  # noqa: E501


@pytest.fixture
def trail(saved: Callable[..., Path], trail_event: Callable[..., Any]) -> Path:
    names = ("GetTrail", "ListTrails", "StopLogging", "ListTrails")
    saved("trail/1.jsonl", [trail_event(number, name) for number, name in enumerate(names)])
    saved("trail/2.jsonl", [trail_event(10 * number, "Decrypt") for number in range(1, 6)])
    return Path("trail")


def test_new_gone_and_changed_findings(
    command: Callable[..., Any], rule: Callable[..., Path], trail: Path
) -> None:
    rule("old/a.yml", 1, "GetTrail")
    rule("old/b.yml", 2, "ListTrails")
    rule("old/c.yml", 3, "StopLogging", "low")
    rule("new/b.yml", 2, "ListTrails")
    rule("new/c.yml", 3, "StopLogging", "high")
    rule("new/d.yml", 4, "GetTrail")
    done = command("rules", "diff", "old", "new", trail, "--source", "cloudtrail", "--json")
    assert done.returncode == 1 and done.stderr == "1 new, 1 gone, 1 changed, 2 the same\n"
    found = {row["change"]: row for row in map(orjson.loads, done.stdout.splitlines())}
    assert found["changed"]["altered"] == ["level"]
    assert (found["changed"]["before"]["level"], found["changed"]["after"]["level"]) == ("low", "high")
    assert found["new"]["before"] is None and found["new"]["after"]["rule_id"].endswith("04")
    assert found["gone"]["after"] is None and found["gone"]["before"]["rule_id"].endswith("01")
    shown = command("rules", "diff", "old", "new", trail, "--source", "cloudtrail").stdout
    assert "changed high          trail/1.jsonl:3" in shown and "(level)" in shown


def test_the_same_rules_differ_in_nothing(
    command: Callable[..., Any], rule: Callable[..., Path], trail: Path
) -> None:
    rule("old/a.yml", 1, "ListTrails")
    done = command("rules", "diff", "old", "old/a.yml", trail, "--source", "cloudtrail")
    assert (done.returncode, done.stdout) == (0, "0 new, 0 gone, 0 changed, 2 the same\n")


def test_a_correlation_with_another_window_is_changed_not_new(
    command: Callable[..., Any], rule: Callable[..., Path], trail: Path
) -> None:
    for name, span in (("old.yml", "20s"), ("new.yml", "1m")):
        path = rule(name, 5, "Decrypt", "low")
        path.write_text(path.read_text() + COUNT.format(span=span))
    done = command("rules", "diff", "old.yml", "new.yml", trail, "--source", "cloudtrail", "--json")
    [row] = map(orjson.loads, done.stdout.splitlines())
    assert row["change"] == "changed" and "event_ids" in row["altered"]


def test_a_refused_rule_is_told_and_ends_with_1(
    command: Callable[..., Any], rule: Callable[..., Path], trail: Path
) -> None:
    rule("old.yml", 1, "ListTrails")
    bad = rule("new.yml", 1, "ListTrails")
    bad.write_text(bad.read_text() + "---\ntitle: no id\n")
    done = command("rules", "diff", "old.yml", "new.yml", trail, "--source", "cloudtrail")
    assert done.returncode == 1 and "new.yml:" in done.stderr
