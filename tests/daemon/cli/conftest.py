"""The command as a process, and records that the tests of several commands read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest

Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `davylamp WORDS...` in the test's own folder."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "daemon", *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, list[Any]], Path]:
    """Write records as JSON Lines below the test's own folder."""

    def save(name: str, records: list[Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        return path

    return save


@pytest.fixture
def rule(tmp_path: Path) -> Callable[..., Path]:
    """Write a rule for CloudTrail that matches one eventName."""

    def write(name: str, number: int, event_name: str, level: str = "medium", tags: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"title: Saw {event_name}\nid: 5f0d6c58-30fb-4b0c-9d9e-6f6b7a0d9a{number:02d}\nlevel: {level}\n"
            f"tags: [{tags}]\nlogsource: {{product: aws, service: cloudtrail}}\n"
            f"detection: {{sel: {{eventName: {event_name}}}, condition: sel}}\n",
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture
def trail_event() -> Callable[..., dict[str, Any]]:
    """Return a CloudTrail event of one second of one day."""

    def event(number: int, name: str, **more: Any) -> dict[str, Any]:
        return {
            "eventVersion": "1.11",
            "eventTime": f"2026-05-01T10:{number // 60:02d}:{number % 60:02d}Z",
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": name,
            "awsRegion": "eu-central-1",
            "sourceIPAddress": "198.51.100.7",
            "userIdentity": {
                "type": "IAMUser",
                "arn": "arn:aws:iam::111122223333:user/ada",
                "userName": "ada",
            },
            "requestParameters": {"name": "main"},
            "eventID": f"0a0a0a0a-0000-4000-8000-{number:012d}",
            "eventType": "AwsApiCall",
        } | more

    return event
