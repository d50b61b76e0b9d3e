"""`rules test`: what fails is named, in the output and in the JUnit report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def cases(path: Path, **given: list[Any]) -> None:
    path.with_suffix(".events.json").write_text(json.dumps({"match": [], "no_match": []} | given))


def test_the_report_counts_what_passed_failed_was_refused_and_has_no_events(
    command: Callable[..., Any], rule: Callable[..., Path], trail_event: Callable[..., Any], tmp_path: Path
) -> None:
    good, bad = trail_event(1, "GetTrail"), trail_event(2, "Other")
    cases(rule("r/a.yml", 1, "GetTrail"), match=[good, bad], no_match=[bad])
    rule("r/b.yml", 2, "GetTrail")
    refused = rule("r/c.yml", 3, "GetTrail")
    refused.write_text(refused.read_text() + "status: unsupported\n")
    done = command("rules", "test", "--no-builtin", "--rules", "r", "--junit", "report.xml")
    assert done.returncode == 1
    assert "r/a.yml: match 2 fails" in done.stdout and "r/b.yml: no test events" in done.stdout
    assert "the status is unsupported" in done.stdout
    assert "3 tries, 1 failed, 1 refused" in done.stdout
    suites = {s.get("name"): s for s in ElementTree.parse(tmp_path / "report.xml").getroot()}
    counted = ("tests", "failures", "errors", "skipped")
    assert [suites["r/a.yml"].get(key) for key in counted] == ["3", "1", "0", "0"]
    assert [suites["r/b.yml"].get(key) for key in counted] == ["1", "0", "0", "1"]
    assert [suites["r/c.yml"].get(key) for key in counted] == ["1", "0", "1", "0"]
    assert [case.get("name") for case in suites["r/a.yml"] if len(case)] == ["match 2"]


def test_an_event_that_no_source_reads_proves_nothing_and_fails(
    command: Callable[..., Any], rule: Callable[..., Path], trail_event: Callable[..., Any]
) -> None:
    timeless = trail_event(1, "Other")
    del timeless["eventTime"]
    path = rule("a.yml", 1, "GetTrail")
    cases(path, no_match=[{"of": "no source"}, timeless])
    done = command("rules", "test", "--no-builtin", "--rules", path)
    assert done.returncode == 1
    assert "no_match 1 fails: no source recognises record 1" in done.stdout
    assert "no_match 2 fails: record 1 of it cannot be read: missing_time" in done.stdout


def test_test_events_that_cannot_be_read_fail(command: Callable[..., Any], rule: Callable[..., Path]) -> None:
    path = rule("a.yml", 1, "GetTrail")
    path.with_suffix(".events.json").write_text("{")
    done = command("rules", "test", "--no-builtin", "--rules", path)
    assert done.returncode == 1 and "a.events.json: no test events: JSONDecodeError" in done.stdout


def test_a_title_that_xml_cannot_hold_still_gives_a_report(
    command: Callable[..., Any], rule: Callable[..., Path], tmp_path: Path
) -> None:
    path = rule("od\x1bd.yml", 1, "GetTrail")
    assert command("rules", "test", "--no-builtin", "--rules", path, "--junit", "r.xml").returncode == 0
    [suite] = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert str(suite.get("name")).endswith("od?d.yml")


def test_a_report_that_cannot_be_written_is_told(
    command: Callable[..., Any], rule: Callable[..., Path]
) -> None:
    words = ("--no-builtin", "--rules", rule("a.yml", 1, "GetTrail"))
    for line in (("test", "--junit", "no/r.xml"), ("coverage", "--navigator", "no/r.json")):
        done = command("rules", *line, *words)
        assert done.returncode == 3 and done.stderr == f"{line[2]}: No such file or directory\n"
