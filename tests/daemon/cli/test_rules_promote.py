"""`davylamp rules promote`: what is missing is said and nothing is written; what is met is written down."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from config.lifecycle import read_lifecycle
from daemon.cli.main import cli
from daemon.lifecycle_file import with_entry

RULE = "1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c11"
TEXT = f"""title: Something was made
id: {RULE}
logsource: {{product: kubernetes, service: audit}}
detection: {{s: {{verb: create}}, condition: s}}
level: high
"""


def event(number: int, verb: str) -> dict[str, object]:
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": f"a{number}",
        "stage": "ResponseComplete", "verb": verb,
        "stageTimestamp": "2026-05-01T00:00:00Z", "user": {"username": "eve"},
    }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A rule with its tests, 1,500 quiet events, no recorded findings."""
    (tmp_path / "rule.yml").write_text(TEXT)
    cases = {
        "match": [event(1, "create"), event(2, "create")],
        "no_match": [event(3, "get"), event(4, "list")],
    }
    (tmp_path / "rule.events.json").write_bytes(orjson.dumps(cases))
    quiet = [event(number, "get") for number in range(1500)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(map(orjson.dumps, quiet)))
    (tmp_path / "findings.jsonl").write_text("")
    return tmp_path


def promote(place: Path, to: str, at: str, *more: str, replay: bool = True) -> Result:
    words = ["rules", "promote", RULE, "--to", to, "--lifecycle", str(place / "l.yaml"), "--no-builtin"]
    words += ["--rules", str(place / "rule.yml"), "--by", "me", "--at", at]
    words += ["--findings", str(place / "findings.jsonl")]
    if replay:
        words += ["--source", "kubernetes_audit", "--replay", str(place / "events.jsonl")]
    return CliRunner().invoke(cli, [*words, *more])


def missing(done: Result) -> list[str]:
    assert done.exit_code in (0, 1), done.output
    return [line.split()[1].rstrip(":") for line in done.output.splitlines() if line.startswith("missing")]


def state(place: Path) -> str | None:
    path = place / "l.yaml"
    found = read_lifecycle([path]).get(RULE) if path.exists() else None
    return found.state if found else None


def test_the_whole_way_from_draft_to_live(place):
    assert promote(place, "draft", "2026-05-01").exit_code == 0 and state(place) == "draft"
    assert missing(promote(place, "live", "2026-05-02")) == ["shadow"] and state(place) == "draft"
    assert promote(place, "shadow", "2026-05-02").exit_code == 0 and state(place) == "shadow"
    assert missing(promote(place, "live", "2026-05-03")) == ["48"] and state(place) == "shadow"
    done = promote(place, "live", "2026-05-04")
    assert done.exit_code == 0 and state(place) == "live", done.output
    assert "0 findings in 1,500 events" in (place / "l.yaml").read_text()
    assert promote(place, "retired", "2026-05-05", "--reason", "superseded").exit_code == 0


def test_without_tests_a_rule_does_not_leave_draft(place):
    (place / "rule.events.json").unlink()
    promote(place, "draft", "2026-05-01")
    assert missing(promote(place, "shadow", "2026-05-02")) == ["tests"] and state(place) == "draft"


def test_a_test_that_fails_is_missing(place):
    text = (place / "rule.events.json").read_text().replace('"list"', '"create"')
    (place / "rule.events.json").write_text(text)
    promote(place, "draft", "2026-05-01")
    done = promote(place, "shadow", "2026-05-02")
    assert missing(done) == ["tests"] and "1 failed" in done.output


def test_a_replay_must_be_there_be_long_enough_and_quiet(place):
    promote(place, "draft", "2026-05-01")
    promote(place, "shadow", "2026-05-01")
    assert missing(promote(place, "live", "2026-05-04", replay=False)) == ["replay"]
    events = place / "events.jsonl"
    lines = events.read_text().splitlines()
    events.write_text("\n".join(lines[:900]))
    assert missing(promote(place, "live", "2026-05-04")) == ["replay"]
    loud = [orjson.dumps(event(9000 + number, "create")).decode() for number in range(2)]
    events.write_text("\n".join([*lines, *loud]))
    done = promote(place, "live", "2026-05-04")
    assert missing(done) == ["replay"] and "1.33 a thousand" in done.output
    assert promote(place, "live", "2026-05-04", "--most", "2", "--dry-run").exit_code == 0
    assert state(place) == "shadow"


def test_findings_of_the_last_two_days_must_be_none_or_allowed(place):
    promote(place, "draft", "2026-05-01")
    promote(place, "shadow", "2026-05-01")
    (place / "loud.jsonl").write_bytes(orjson.dumps(event(1, "create")))
    words = ["scan", str(place / "loud.jsonl"), "--source", "kubernetes_audit", "--no-builtin", "--json"]
    found = CliRunner().invoke(cli, [*words, "--rules", str(place / "rule.yml")]).stdout
    (place / "findings.jsonl").write_text(found.replace("2026-05-01", "2026-05-03"))
    done = promote(place, "live", "2026-05-04", "--json")
    asked = {one["name"]: one["met"] for one in json.loads(done.stdout)["requirements"]}
    assert done.exit_code == 1 and not asked["quiet"] and asked["replay"]
    assert missing(promote(place, "live", "2026-05-06")) == []
    promote(place, "shadow", "2026-05-01")
    assert promote(place, "live", "2026-05-04", "--allow", "1").exit_code == 0


def test_an_unknown_rule_is_a_usage_error(place):
    done = CliRunner().invoke(
        cli, ["rules", "promote", "no", "--to", "draft", "--by", "me", "--no-builtin", "--lifecycle", "x"]
    )
    assert done.exit_code == 2 and "no rule no is loaded" in done.output


def test_other_entries_and_comments_stay_as_they_are(tmp_path):
    other = RULE[:-1] + "2"
    text = f"# ours\n{other}: {{state: live, since: 2026-05-01, by: me}}\n{RULE}:\n  state: draft  # soon\n"
    text += "  since: 2026-05-01\n  by: me\n# the end\n"
    entry = {"state": "shadow", "since": "2026-05-02", "by": 'a "b"', "reason": "x: y # z"}
    done = with_entry(text, RULE, entry)
    assert done.startswith(f"# ours\n{other}: {{state: live, since: 2026-05-01, by: me}}\n{RULE}:\n")
    assert done.endswith("# the end\n") and "draft" not in done
    (tmp_path / "l.yaml").write_text(with_entry(done, other, entry))
    found = read_lifecycle([tmp_path / "l.yaml"])
    assert {found[RULE].by, found[other].by} == {'a "b"'} and found[other].reason == "x: y # z"
