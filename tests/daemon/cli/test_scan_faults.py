"""`scan` names the rules that could not judge an event, and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RULE = """\
title: Looks for a word
id: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9c{number:02d}
level: medium
logsource: {{product: aws}}
detection:
  s: {{{test}}}
  condition: s
"""
RECORD = {
    "eventVersion": "1.08",
    "eventTime": "2026-11-20T08:15:30Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "eventID": "0b8f8ae8-6d2c-4e4c-8d43-8f0d9cbdd2aa",
    "awsRegion": "eu-west-1",
    "userIdentity": {"type": "Root"},
    "sourceIPAddress": "192.0.2.1",
}


def test_scan_names_the_rules_that_failed(command: Callable[..., Any], tmp_path: Path) -> None:
    rules, events = tmp_path / "rules", tmp_path / "events.jsonl"
    rules.mkdir()
    (rules / "one.yml").write_text(RULE.format(number=1, test="userAgent|re: needle"))
    (rules / "two.yml").write_text(RULE.format(number=2, test="userAgent|contains: needle"))
    long = json.dumps({**RECORD, "userAgent": "x" * 70_000 + "needle"})
    events.write_text(f"{long}\n{long}\n")
    done = command(
        "scan", str(events), "--source", "cloudtrail", "--rules", str(rules), "--no-builtin", "--json"
    )
    assert done.returncode == 1
    assert "2 evaluation errors: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9c01 2\n" in done.stderr
    found = {json.loads(line)["rule_id"] for line in done.stdout.splitlines()}
    assert found == {"5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9c02"}
