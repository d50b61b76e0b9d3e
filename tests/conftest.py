"""What every test may use, and the rule about tests that could not run: listed, and an error in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import tested_on
from parts.cache import keep_programs

from daemon.demo.parts.broker import BrokerPart

LONGEST = (
    "differential/test_differential.py",
    "daemon/demo/test_demo_whole.py",
    "daemon/correlate/test_correlate_on_broker.py",
    "daemon/respond/test_respond_role.py",
    "daemon/respond/test_life_cycles.py",
    "daemon/reload/test_reload_on_broker.py",
    "daemon/detect/test_detect_role.py",
    "daemon/cli/test_replay_kafka.py",
    "public_rules/test_rule_parts.py",
    "daemon/respond/crash_matrix/test_crash_matrix.py",
    "daemon/respond/test_rotation_end_to_end.py",
    "daemon/web/test_web_browser.py",
)
"""The files that take longest: they begin first, so that no worker is alone with one of them at the end."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--tested-on FILE` writes the claims of the collected tests."""
    parser.addoption(
        "--nightly", action="store_true", help="the long faults, eight workers, every crash cell"
    )
    parser.addoption("--tested-on", type=Path, help="write the claims of the collected tests to this file")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; the rest keeps its order."""
    places = {Path(__file__).parent / file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the claims when asked."""
    if file := session.config.getoption("--tested-on"):
        page = tested_on.page(tested_on.claims(session.items), tested_on.names())
        file.write_text(page, encoding="utf-8")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With CI set, a test that was skipped is a failure: CI installs everything that tests need."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what could not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        why = " (an error, as CI is set)" if os.environ.get("CI") else ""
        terminalreporter.section("could not run" + why)
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            terminalreporter.line(f"{report.nodeid}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def compiled_rules_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep compiled rules in a folder of this run, not in that of the person who runs the tests.

    The servers of tests/stack stay where they are: to fetch and build them takes minutes.
    """
    keep_programs()
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The path of an installed Chromium or Chrome; without one the test cannot run."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium or Chrome is installed")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerPart]:
    """A running Tansu broker, empty."""
    part = BrokerPart(tmp_path / "broker")
    part.start()
    try:
        yield part
    finally:
        part.stop()


@pytest.fixture
def quick_kafka(broker: BrokerPart) -> dict[str, object]:
    """The settings section of that broker: quick sessions, counters in a file (it drops commit metadata)."""
    return {
        "brokers": [broker.brokers],
        "session_timeout_s": 2,
        "heartbeat_interval_s": 0.5,
        "rebalance_timeout_s": 3,
        "counters": "file",
    }
