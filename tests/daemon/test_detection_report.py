"""The figures of the detection report, on a recording small enough to count by hand."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

BENCH = Path(__file__).parents[2] / "bench"
RULE = """
title: {name} was called
id: 00000000-0000-4000-8000-00000000000{number}
status: test
logsource: {{product: aws, service: cloudtrail}}
detection: {{seen: {{eventName: {name}}}, condition: seen}}
level: {level}
"""


@pytest.fixture
def bench() -> Iterator[None]:
    sys.path.insert(0, str(BENCH))
    yield
    sys.path.remove(str(BENCH))


def saved(path: Path, calls: list[tuple[str, str]]) -> Path:
    lines = [
        json.dumps(
            {
                "eventVersion": "1.11",
                "eventID": event_id,
                "eventName": name,
                "eventSource": "iam.amazonaws.com",
                "eventTime": "2026-05-01T10:00:00Z",
                "userIdentity": {"type": "IAMUser", "userName": "ada"},
            }
        )
        for event_id, name in calls
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def measured(tmp_path: Path) -> Any:
    data = importlib.import_module("detection_report_data")
    calls = [
        ("a1", "High"),
        ("a2", "Low"),
        ("a3", "Nothing"),
        ("b1", "High"),
        ("b2", "Low"),
        ("b2", "Low"),  # delivered twice
        ("b3", "Nothing"),
        ("look", "High"),
        ("out", "High"),
    ]
    recording = data.Recording(
        "small",
        "cloudtrail",
        saved(tmp_path / "trail.jsonl", calls),
        [event_id for event_id, _ in calls],
        {"first": frozenset({"a1"}), "second": frozenset({"a2"}), "third": frozenset({"a3"})},
        lookalikes={"alike": frozenset({"look"}), "quiet": frozenset({"nobody"})},
        ignored=frozenset({"out"}),
    )
    rules = [
        RuleDocument(f"{name}.yml", RULE.format(name=name, number=number, level=name.lower()))
        for number, name in enumerate(("High", "Low"))
    ]
    return importlib.import_module("detection_report_measure").measure(recording, RuleSet.load(rules))


def test_recall_false_alerts_and_precision_are_counted(bench: None, tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert found.found == {"first": "high", "second": "low"}
    assert (found.missed, found.low_only, found.found_medium) == (["third"], ["second"], 1)
    assert found.recording.ordinary == 3
    assert dict(found.false) == {"high": 1, "low": 1}
    assert found.rate("medium", "high", "critical") == pytest.approx(1000 / 3)
    assert found.alike == {"alike": {"High was called"}}
    assert (found.right_high, found.wrong_high) == (1, 2)
    assert found.precision == pytest.approx(1 / 3)


def test_without_the_data_one_line_and_exit_code_3(
    bench: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["detection_report.py", str(tmp_path), "--out", str(tmp_path / "out.md")]
    )
    assert importlib.import_module("detection_report").main() == 3
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("detection-report: SHARED=DIR must name the test data")
    assert not (tmp_path / "out.md").exists()
