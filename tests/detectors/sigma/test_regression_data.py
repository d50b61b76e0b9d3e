"""SigmaHQ's regression data: every rule of the main set matches the events that its authors kept for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
DATA = Path(__file__).parent / "regression"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "bench/regression_data.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_rule_of_the_main_set_matches_its_events() -> None:
    done = run("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rules"], found["refused"], found["pairs"], found["events"]) == (97, [], 101, 122)
    assert found["right"] == 97
    assert len(found["exceptions"]) == 4
    assert all(path.startswith("rules-emerging-threats/") for path in found["exceptions"])


def test_a_rule_that_misses_its_events_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl.gz").write_bytes((DATA / "events.jsonl.gz").read_bytes())
    with tarfile.open(DATA / "rules.tar.gz") as given, tarfile.open(tmp_path / "rules.tar.gz", "w:gz") as out:
        for member in given.getmembers()[1:]:
            out.addfile(member, given.extractfile(member))
    done = run(str(tmp_path), "--json")
    assert done.returncode == 1, done.stdout
    assert None in json.loads(done.stdout)["exceptions"].values()


def test_every_rule_keeps_its_authors() -> None:
    with tarfile.open(DATA / "rules.tar.gz") as given:
        rules = [yaml.safe_load(given.extractfile(member)) for member in given.getmembers()]
    assert len(rules) == 97
    assert all(rule["author"] for rule in rules)
    assert "Detection Rule License" in (DATA / "LICENSE-DRL-1.1.txt").read_text()
