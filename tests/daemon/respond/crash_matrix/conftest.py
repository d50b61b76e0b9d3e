"""`--nightly` plays all 54 cells; `--crash-matrix FILE` writes their table. By day a dozen is played."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

BOUNDARIES: Final = (
    *("before intent", "after intent", "call sent"),
    *("call done", "before observe", "before commit"),
)
FAULTS: Final = (
    *("kill -9", "lease stolen", "vault sealed", "5xx after success", "412", "timeout"),
    *("database fail-over", "duplicate worker", "clock +/- 10 min"),
)
BY_DAY: Final = frozenset(
    {
        ("before intent", "clock +/- 10 min"),
        ("before intent", "412"),
        ("after intent", "kill -9"),
        ("after intent", "database fail-over"),
        ("call sent", "lease stolen"),
        ("call sent", "timeout"),
        ("call done", "5xx after success"),
        ("call done", "kill -9"),
        ("before observe", "vault sealed"),
        ("before observe", "duplicate worker"),
        ("before commit", "lease stolen"),
        ("before commit", "clock +/- 10 min"),
    }
)
"""Every boundary twice and every fault at least once, first where a rotation could double."""
CELLS: Final = pytest.StashKey[dict[tuple[str, str], str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option; it is known when this folder is named on the command line."""
    parser.addoption("--crash-matrix", type=Path, help="write the table of the cells to this file")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`cell` is (boundary, fault)."""
    if "cell" in metafunc.fixturenames:
        whole = bool(metafunc.config.getoption("--nightly", default=False))
        cells = [(b, f) for b in BOUNDARIES for f in FAULTS if whole or (b, f) in BY_DAY]
        metafunc.parametrize("cell", cells, ids=[f"{b}, {f}" for b, f in cells])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table when asked and when there is something to write."""
    cells = session.config.stash.get(CELLS, {})
    file: Path | None = session.config.getoption("--crash-matrix", default=None)
    if file is not None and cells:
        file.write_text(page(cells), encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    """Keep how each cell ended: what the test noted, or that it failed."""
    report = yield
    cell = getattr(item, "callspec", None) and item.callspec.params.get("cell")  # type: ignore[attr-defined]
    if cell and (report.when == "call" or report.failed):
        noted = dict(item.user_properties).get("ended", "")
        item.config.stash.setdefault(CELLS, {})[cell] = str(noted) if report.passed else "FAILED"
    return report


def page(cells: dict[tuple[str, str], str]) -> str:
    """Return the table with the day and the commit that was tested."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    day = datetime.datetime.now(datetime.UTC).date()
    good = sum(not ended.startswith("FAILED") for ended in cells.values())
    rows = [
        f"| {fault} | "
        + " | ".join(cells.get((boundary, fault), "not played") for boundary in BOUNDARIES)
        + " |"
        for fault in FAULTS
    ]
    return "\n".join(
        [
            "# Crash matrix",
            "",
            f"Database static role, real OpenBao and PostgreSQL, {day}, on top of commit "
            f"{commit.stdout.strip() or 'unknown'}: {good} of {len(cells)} cells passed.",
            "Written by `pytest tests/daemon/respond/crash_matrix --nightly "
            "--crash-matrix docs/crash-matrix.md`.",
            "",
            "A cell passes when the action succeeded with exactly one proof of its epoch, the password that "
            "the vault serves logs in, every earlier one is refused, no step is open, no escrow is left, and "
            "no secret stands in the database or in what the workers said. It tells the proof's grade and "
            "how often the vault rotated (2: a call in flight landed after its lease was lost, and the "
            "epoch was proven again).",
            "",
            "The waits of the proof pass at once here; tests/daemon/respond/test_worker_crashes.py kills "
            "workers with the whole waits. Call sent: the vault has not seen it yet. Call done: its answer "
            "is held back. Before observe: before the mark is read that shows it. The fail-over is of the "
            "database whose credential is rotated: kill -9 of PostgreSQL and a start. The clock is the "
            "worker's, both ways.",
            "",
            "| fault | " + " | ".join(BOUNDARIES) + " |",
            "|---|" + "---|" * len(BOUNDARIES),
            *rows,
            "",
        ]
    )


@pytest.fixture(scope="session")
def crash_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Servers of their own: the cells seal the one and kill the other."""
    made = sys.modules["davylamp_rotation_scene"].Scene.start(tmp_path_factory.mktemp("crash"))
    yield made
    made.stop()
