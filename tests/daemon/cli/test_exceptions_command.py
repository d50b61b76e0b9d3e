"""`davylamp exceptions`, and `scan` with exceptions and states."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from daemon.cli.main import cli

RULE = "1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c11"
TEXT = f"""title: Something was made
id: {RULE}
logsource: {{product: kubernetes, service: audit}}
detection: {{s: {{verb: create}}, condition: s}}
level: high
"""
ENTRY = f"""robot:
  rules: [{RULE}]
  entities: [{{type: k8s_user, id: robot}}]
  owner: platform
  reason: builds
  ticket: T-1
  from: 2026-01-01
  expires: 2026-07-01
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A rule, its exception, and three events of two users."""
    (tmp_path / "rule.yml").write_text(TEXT)
    (tmp_path / "e.yaml").write_text(ENTRY)
    events = [
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": f"a{number}",
            "stage": "ResponseComplete", "verb": "create",
            "stageTimestamp": f"2026-0{month}-01T00:00:00Z", "user": {"username": who},
        }
        for number, (who, month) in enumerate([("robot", 2), ("eve", 2), ("robot", 8)])
    ]  # fmt: skip
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(map(orjson.dumps, events)))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def scanned(place: Path, *more: str) -> Result:
    common = ["scan", str(place / "events.jsonl"), "--source", "kubernetes_audit", "--no-builtin"]
    return run(*common, "--rules", str(place / "rule.yml"), "--json", *more)


def who(done: Result) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [(row["entities"][0]["id"], row.get("labels", {}).get("held", "")) for row in rows]


def test_scan_leaves_out_what_is_known_until_it_expires_and_says_so(place):
    assert who(scanned(place)) == [("robot", ""), ("eve", ""), ("robot", "")]
    done = scanned(place, "--exceptions", str(place / "e.yaml"))
    assert who(done) == [("eve", ""), ("robot", "")] and done.exit_code == 1
    assert "1 findings held back: robot 1" in done.stderr
    shown = scanned(place, "--exceptions", str(place / "e.yaml"), "--held")
    assert who(shown) == [("robot", "exception"), ("eve", ""), ("robot", "")]


@pytest.mark.parametrize(("state", "said"), [("shadow", "3 findings held back: (shadow) 3"), ("draft", "")])
def test_a_rule_in_shadow_or_in_draft_changes_no_exit_code(place, state, said):
    (place / "l.yaml").write_text(f"{RULE}: {{state: {state}, since: 2026-01-01, by: me}}\n")
    done = scanned(place, "--lifecycle", str(place / "l.yaml"))
    assert done.exit_code == 0 and done.stdout == "" and said in done.stderr


def test_a_broken_file_is_exit_2_with_its_place(place):
    (place / "e.yaml").write_text(ENTRY.replace("ticket: T-1", "ticket: ''"))
    for done in (
        scanned(place, "--exceptions", str(place / "e.yaml")),
        run("exceptions", "check", str(place / "e.yaml")),
    ):
        assert type(done.exception).__name__ == "ConfigurationError"
        assert f"{place / 'e.yaml'}:6: robot.ticket" in str(done.exception)


def test_check_names_what_is_expired_broad_or_for_no_rule(place):
    common = [
        "exceptions",
        "check",
        str(place / "e.yaml"),
        "--no-builtin",
        "--rules",
        str(place / "rule.yml"),
    ]
    fine = run(*common, "--at", "2026-03-01")
    assert fine.exit_code == 0 and "1 exceptions, 0 with" in fine.output
    late = run(*common, "--at", "2026-07-01")
    assert late.exit_code == 1 and "expired 2026-07-01" in late.output
    assert "expires in 10 days" in run(*common, "--at", "2026-06-21").output
    (place / "e.yaml").write_text(ENTRY.replace("id: robot", "id: r*").replace(RULE, RULE[:-1] + "2"))
    broad = run(*common, "--at", "2026-03-01").output
    assert "fixes only 1 characters" in broad and "no rule 1d0e52c8-4f2c-4c25-8a5d-6a4a0f5f7c12" in broad
    (place / "e.yaml").write_text(ENTRY.replace("id: robot", "id: build-robot-*"))
    (place / "rule.yml").write_text(TEXT.replace("high", "critical"))
    assert "without power" in run(*common, "--at", "2026-03-01").output


def test_report_counts_what_was_held_once_and_names_the_unused(place):
    other = ENTRY.replace("robot:", "nobody:").replace("id: robot", "id: nobody")
    (place / "e.yaml").write_text(ENTRY + other)
    stored = place / "findings.jsonl"
    text = scanned(place, "--exceptions", str(place / "e.yaml"), "--held").stdout
    stored.write_text(text + text)
    common = ["exceptions", "report", str(place / "e.yaml"), "--findings", str(stored), "--at", "2026-03-01"]
    done = run(*common, "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["exceptions"]}
    assert done.exit_code == 1
    assert (rows["robot"]["hits"], rows["robot"]["newest"]) == (1, "2026-02-01T00:00:00.000Z")
    assert rows["robot"]["problems"] == []
    assert rows["nobody"]["problems"] == ["unused: it held nothing back"]
    assert "nobody: unused" in run(*common).output


def test_report_names_an_exception_that_hides_its_whole_rule(place):
    line = json.loads(scanned(place, "--exceptions", str(place / "e.yaml"), "--held").stdout.splitlines()[0])
    ids = (f"{n:08}-0000-8000-8000-000000000000" for n in range(20))
    (place / "f.jsonl").write_text("\n".join(json.dumps({**line, "finding_id": one}) for one in ids))
    done = run("exceptions", "report", str(place / "e.yaml"), "--findings", str(place / "f.jsonl"),
               "--at", "2026-03-01")  # fmt: skip
    assert done.exit_code == 1 and f"hides the rule {RULE}" in done.output
