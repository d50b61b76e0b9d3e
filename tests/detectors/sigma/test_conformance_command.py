"""`davylamp rules conform`: table, JSON, JUnit, the opened cases, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from daemon.cli.conform import conform

TABLE = """
cases:
- id: text
  title: Text
  selection: {f: a}
  specification: {section: s, quote: q, match: {good: {f: A}}}
  decision: {text: t, no_match: {bad: {f: A}, other: {f: b}}}
- id: refusal
  title: A refusal with a sign that XML has not
  selection: {f|nothing: "\\u0001"}
  decision: {text: t, match: {bad: {f: a}}}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.yml").write_text(TABLE, encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(conform, [str(item) for item in arguments])


def test_failures_are_named_with_what_was_seen(suite: Path) -> None:
    result = run(suite)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == 'below/one/text/bad (decision): expected {"match":false}, saw 1 findings'
    assert lines[1].startswith(
        'below/one/refusal/bad (decision): expected {"match":true}, saw refused: 0.yml'
    )
    assert lines[3].split() == ["below/one", "1", "of", "1", "1", "of", "3"]
    assert lines[4] == "4 cases, 2 failed"


def test_json_counts_by_topic_and_basis(suite: Path) -> None:
    document = json.loads(run(suite, "--json").output)
    assert document["topics"]["below/one"] == {
        "specification": {"passed": 1, "failed": 0},
        "decision": {"passed": 1, "failed": 2},
    }
    assert (document["cases"], document["passed"]) == (4, 2)
    assert [item["id"] for item in document["failed"]] == ["below/one/text/bad", "below/one/refusal/bad"]


def test_junit_has_a_test_a_case(suite: Path) -> None:
    file = suite / "report.xml"
    assert run(suite, "--junit", file).exit_code == 1
    [found] = ElementTree.parse(file).getroot()
    assert (found.get("name"), found.get("tests"), found.get("failures")) == ("below/one", "4", "2")
    assert [case.get("name") for case in found if case.find("failure") is not None] == [
        "below/one/text/bad",
        "below/one/refusal/bad",
    ]


def test_expand_prints_the_opened_cases(suite: Path) -> None:
    result = run(suite, "--expand")
    assert result.exit_code == 0
    first, *_ = [json.loads(line) for line in result.output.splitlines()]
    assert first["id"] == "below/one/text/good"
    assert (first["basis"], first["reason"]) == ("specification", "q")
    assert (first["events"], first["expected"]) == ([{"f": "A"}], {"match": True})
    assert first["logsource"] == {"product": "conform"}
    [document] = first["documents"]
    assert f"id: {first['of']}" in document


def test_all_passed_is_exit_0(tmp_path: Path) -> None:
    text = "cases: [{id: x, title: x, selection: {f: a}, decision: {text: t, match: {row: {f: a}}}}]"
    (tmp_path / "x.yml").write_text(text, encoding="utf-8")
    assert run(tmp_path).exit_code == 0


@pytest.mark.parametrize("text", [None, "cases: 5", "cases: []", "\ufffe"])
def test_a_folder_without_cases_is_a_usage_error(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "x.yml").write_text(text, encoding="utf-16" if text == "\ufffe" else "utf-8")
    assert run(tmp_path).exit_code == 2
