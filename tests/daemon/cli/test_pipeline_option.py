"""`--pipeline` rewrites rules wherever they are loaded; a broken one ends the command with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.detection import Detection
from config.errors import ConfigurationError
from daemon.ruleset import ruleset

RENAME = "transformations: [{type: field_name_mapping, mapping: {action: eventName}}]\n"


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    path = tmp_path / "renamed.yml"
    path.write_text(
        "title: Saw it\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a01\nlevel: high\n"
        "logsource: {product: aws, service: cloudtrail}\n"
        "detection: {sel: {action: StopLogging}, condition: sel}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "rename.pipeline.yaml"
    path.write_text(RENAME, encoding="utf-8")
    return path


def test_scan_finds_by_the_name_that_the_pipeline_gives(
    command: Any, saved: Any, trail_event: Callable[..., Any], renamed: Path, pipeline: Path
) -> None:
    events = saved("events.json", [trail_event(1, "StopLogging"), trail_event(2, "Other")])
    words = ("scan", events, "--source", "cloudtrail", "--no-builtin", "--rules", renamed, "--json")
    assert command(*words).returncode == 0
    found = command(*words, "--pipeline", pipeline)
    assert found.returncode == 1
    [finding] = [orjson.loads(line) for line in found.stdout.splitlines()]
    assert finding["locations"][0]["line"] == 1


def test_explain_shows_the_rule_as_the_pipeline_left_it(
    command: Any, saved: Any, trail_event: Callable[..., Any], renamed: Path, pipeline: Path
) -> None:
    event = saved("event.json", [trail_event(1, "StopLogging")])
    done = command(
        "rules",
        "explain",
        "renamed",
        event,
        "--source",
        "cloudtrail",
        "--rules",
        renamed,
        "--pipeline",
        pipeline,
    )
    assert done.returncode == 0, done.stderr
    assert "eventName: StopLogging" in done.stdout


@pytest.mark.parametrize(
    "words",
    [("rules", "check"), ("rules", "list"), ("rules", "test"), ("rules", "coverage")],
    ids=lambda words: words[1],
)
def test_a_broken_pipeline_ends_a_command_with_file_line_and_key(
    command: Any, tmp_path: Path, renamed: Path, words: tuple[str, ...]
) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text("name: x\ntransformations:\n- {type: map_strin}\n", encoding="utf-8")
    done = command(*words, "--no-builtin", "--rules", renamed, "--pipeline", broken)
    assert done.returncode == 2
    assert f"{broken}:3: transformations[0].type: no transformation is called map_strin" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_reports_a_rule_that_a_pipeline_fails(command: Any, tmp_path: Path, renamed: Path) -> None:
    fails = tmp_path / "fails.yml"
    fails.write_text("transformations: [{type: rule_failure, message: not for us}]\n", encoding="utf-8")
    done = command("rules", "check", "--no-builtin", "--rules", renamed, "--pipeline", fails, "--json")
    assert done.returncode == 1
    [refusal] = orjson.loads(done.stdout)["refusals"]
    assert refusal["reason"].startswith("not for us (pipeline, ")
    assert refusal["file"] == str(renamed)


def test_diff_takes_pipelines(
    command: Any, saved: Any, trail_event: Callable[..., Any], renamed: Path, rule: Any, pipeline: Path
) -> None:
    events = saved("events.json", [trail_event(1, "StopLogging")])
    other = rule("other.yml", 1, "StopLogging", level="high")
    words = ("rules", "diff", renamed, other, events, "--source", "cloudtrail")
    assert "1 new, 0 gone" in command(*words).stdout
    assert "0 new, 0 gone" in command(*words, "--pipeline", pipeline).stdout


def test_missing_pipelines_are_told_all_at_once(tmp_path: Path) -> None:
    paths = (tmp_path / "one.yml", tmp_path / "two.yml")
    with pytest.raises(ConfigurationError) as caught:
        ruleset(Detection(builtin_rules=False, pipelines=paths))
    assert [problem.place for problem in caught.value.problems] == [str(path) for path in paths]
