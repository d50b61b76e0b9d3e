"""What a newcomer runs into: the right event, a rule by its file, a long diff, rules of other products."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.cli.coverage import NO_SOURCE, layer


def explained(command: Any, *words: object) -> Any:
    return command("rules", "explain", *words, "--source", "cloudtrail")


def test_explain_takes_the_first_event_that_matches(
    command: Any, saved: Any, rule: Any, trail_event: Callable[..., Any]
) -> None:
    events = saved(
        "e.json", [trail_event(1, "Other"), trail_event(2, "StopLogging"), trail_event(3, "StopLogging")]
    )
    done = explained(command, rule("mine.yml", 1, "StopLogging"), events)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Saw StopLogging: matches 0a0a0a0a-0000-4000-8000-000000000002")


def test_explain_takes_the_nearest_event_when_none_matches(
    command: Any, saved: Any, tmp_path: Path, trail_event: Callable[..., Any]
) -> None:
    (tmp_path / "two.yml").write_text(
        "title: two\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a01\nlogsource: {product: aws}\n"
        "detection: {s: {eventName: StopLogging, awsRegion: us-east-1}, condition: s}\n",
        encoding="utf-8",
    )
    near = trail_event(2, "StopLogging")
    done = explained(
        command, "two.yml", saved("e.json", [trail_event(1, "Other"), near, trail_event(3, "Other")])
    )
    assert done.returncode == 1
    assert "does not match 0a0a0a0a-0000-4000-8000-000000000002" in done.stdout
    assert done.stdout.count("nearest miss") == 1


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("secrets_swept", "is a correlation, and no single event decides it; explain one of its rules: "),
        ("broken.yml", "the rule is refused: broken.yml:"),
        ("nothing", "no rule is called 'nothing' by id, name or file"),
    ],
)
def test_explain_says_what_is_no_rule(
    command: Any, saved: Any, tmp_path: Path, trail_event: Callable[..., Any], wanted: str, told: str
) -> None:
    (tmp_path / "broken.yml").write_text("title: x\nlogsource: {product: aws}\n", encoding="utf-8")
    done = explained(command, wanted, saved("e.json", [trail_event(1, "Other")]))
    assert done.returncode == 2
    assert told in done.stderr


def test_explain_names_the_source_that_the_file_is_of(
    command: Any, saved: Any, trail_event: Callable[..., Any]
) -> None:
    events = saved("e.json", [trail_event(1, "Other")])
    done = command("rules", "explain", "trail_stopped", events, "--source", "vault_audit")
    assert done.returncode == 2
    assert "it holds events of cloudtrail: give --source cloudtrail" in done.stderr


def test_new_selects_by_no_empty_field(command: Any, saved: Any, tmp_path: Path) -> None:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": "/api",
        "verb": "get",
        "user": {"username": "kim"},
        "objectRef": {"resource": ""},
        "requestReceivedTimestamp": "2026-05-01T10:00:00.000000Z",
        "stageTimestamp": "2026-05-01T10:00:00.000000Z",
    }
    done = command("rules", "new", "--source", "kubernetes_audit", "--event", saved("e.json", [event]))
    assert done.returncode == 0, done.stderr
    assert "new_rule.yml: selects by verb, stage;" in done.stdout


def test_a_long_diff_is_cut_for_each_rule_and_told_by_rule(
    command: Any, saved: Any, rule: Any, tmp_path: Path, trail_event: Callable[..., Any]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    rule("new/a.yml", 1, "StopLogging")
    rule("new/b.yml", 2, "DeleteTrail")
    old.mkdir()
    events = [trail_event(n, "StopLogging") for n in range(14)] + [trail_event(20, "DeleteTrail")]
    words = ("rules", "diff", old, new, saved("e.json", events), "--source", "cloudtrail")
    lines = command(*words).stdout.splitlines()
    assert sum(line.startswith("new ") for line in lines) == 11
    assert lines[11:] == [
        "and 4 more; --all prints them",
        "Saw StopLogging: 14 new",
        "Saw DeleteTrail: 1 new",
        "15 new, 0 gone, 0 changed, 0 the same",
    ]
    assert sum(line.startswith("new ") for line in command(*words, "--all").stdout.splitlines()) == 15
    assert len([orjson.loads(line) for line in command(*words, "--json").stdout.splitlines()]) == 15


def test_rules_of_other_products_count_in_no_score() -> None:
    table = {"T1": {"cloudtrail": ["a"], NO_SOURCE: ["b", "c"]}, "T2": {NO_SOURCE: ["d"]}}
    scores = {entry["techniqueID"]: entry["score"] for entry in layer(table, ())["techniques"]}
    assert scores == {"T1": 1, "T2": 0}


def test_techniques_of_other_products_are_told_in_one_line(command: Any, rule: Any, tmp_path: Path) -> None:
    rule("rules/a.yml", 1, "StopLogging", tags="attack.t1685.002")
    other = rule("rules/b.yml", 2, "x", tags="attack.t1055")
    other.write_text(other.read_text().replace("product: aws, service: cloudtrail", "product: windows"))
    done = command("rules", "coverage", "--no-builtin", "--rules", tmp_path / "rules")
    assert done.returncode == 0
    assert "T1685.002" in done.stdout
    assert "T1055" not in done.stdout
    assert (
        "1 rules are of log sources that Davylamp does not read; 1 techniques have no others" in done.stdout
    )
