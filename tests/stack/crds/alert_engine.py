"""Prometheus' own query engine over made series: a small Go test program, built into the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from parts.cache import cached
from parts.part import PartMissingError

SOURCES: Final = Path(__file__).resolve().parent / "alerts"
_MADE_FROM: Final = ("go.mod", "go.sum", "alerts_test.go")
_PROGRAM: Final = "alerts.test"
_BUILD_S: Final = 1800.0
_RUN_S: Final = 120.0

Question = tuple[str, str, int]
"""Series in Prometheus' notation, an expression, and the second at which it is asked."""


def answers(questions: Sequence[Question]) -> list[int]:
    """Return how many series each question's expression has. Raises PartMissingError, ValueError."""
    program = cached("chart-alerts", [SOURCES / name for name in _MADE_FROM], _build) / _PROGRAM
    asked = [{"load": load, "expr": expression, "at": at} for load, expression, at in questions]
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / "questions.json", Path(folder) / "answers.json"
        given.write_text(json.dumps(asked), encoding="utf-8")
        environment = {**os.environ, "ALERT_QUESTIONS": str(given), "ALERT_ANSWERS": str(written)}
        done = _run([str(program), "-test.run", "TestQuestions"], Path(folder), environment, _RUN_S)
        if done.returncode:
            raise ValueError((done.stdout + done.stderr)[-2000:])
        return json.loads(written.read_text(encoding="utf-8"))


def _build(into: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise PartMissingError("Go 1.26 or newer is not on this machine: install it from go.dev/dl")
    command = [go, "test", "-c", "-trimpath", "-mod=readonly", "-o", str(into / _PROGRAM), "."]
    try:
        done = _run(command, SOURCES, {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}, _BUILD_S)
    except subprocess.TimeoutExpired as error:
        raise PartMissingError(f"go test -c did not end within {_BUILD_S:g} s") from error
    if done.returncode:
        raise PartMissingError(f"go test -c failed: {done.stderr[-2000:]}")


def _run(
    command: Sequence[str], folder: Path, environment: dict[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
