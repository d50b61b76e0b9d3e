"""The real servers as fixtures: one of each a session, started when first asked for, stopped at its end.

Under pytest-xdist every worker has servers of its own; tests that share many of them go to one worker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from parts.groups import FIRST, GroupScheduling, place_of
from parts.part import PartMissingError
from parts.stack import Stack
from parts.tested_on import STACK, part_class

BOOT_TIMEOUT_S = 900.0
"""With empty caches the boot first fetches and builds its servers, which all others wait for as well."""
BOOTED = pytest.StashKey[Path]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """Under pytest-xdist, keep together what uses the same servers."""
    config.option.loadscopereorder = False
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The boot of the whole stack is measured before anything of it runs, then the longest groups begin."""
    folder = Path(__file__).parent
    ours = [item for item in items if folder in item.path.parents]
    others = [item for item in items if folder not in item.path.parents]
    items[:] = [*sorted(ours, key=lambda item: place_of(item.path)), *others]
    if hasattr(config, "workerinput") and items and items[0].path.name == FIRST:
        config.stash[BOOTED] = Path(config.getoption("basetemp")).parent / "booted"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Other workers wait for the boot, which is measured on a machine that does nothing else."""
    booted = item.config.stash.get(BOOTED, None)
    if booted is None or item.path.name == FIRST:
        return
    give_up = time.monotonic() + BOOT_TIMEOUT_S
    while not booted.exists() and time.monotonic() < give_up:
        time.sleep(0.1)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Tell the other workers that the boot is over, however it ended."""
    if item.path.name == FIRST and (booted := item.config.stash.get(BOOTED, None)):
        booted.touch()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the logs of the parts that it used."""
    outcome: Any = yield
    report = outcome.get_result()
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        for name in sorted(set(getattr(item, "fixturenames", ())) & set(STACK)):
            report.sections.append((f"log of {name}", stack.logs(name)))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The parts of this run; nothing is started before it is asked for."""
    parts = Stack(tmp_path_factory.mktemp("stack"), {name: partial(part_class, name) for name in STACK})
    yield parts
    parts.stop()


def fixture_of(name: str) -> Any:
    """Return the session fixture of a part; one that this machine cannot have is a skip (an error in CI)."""

    @pytest.fixture(scope="session", name=name)
    def started(stack: Stack) -> Any:
        try:
            return stack.part(name)
        except PartMissingError as error:
            pytest.skip(f"{name}: {error}")

    return started


kafka = fixture_of("kafka")
secure_kafka = fixture_of("secure_kafka")
elasticsearch = fixture_of("elasticsearch")
elasticsearch_8 = fixture_of("elasticsearch_8")
opensearch = fixture_of("opensearch")
opensearch_2 = fixture_of("opensearch_2")
kubernetes = fixture_of("kubernetes")
envoy = fixture_of("envoy")
