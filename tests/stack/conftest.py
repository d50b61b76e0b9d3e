"""The real servers as fixtures: one of each a session, started when first asked for, stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from parts.part import PartMissingError
from parts.stack import Stack
from parts.tested_on import STACK, part_class

FIRST = "test_boot.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The boot of the whole stack is measured before anything of it runs."""
    items.sort(key=lambda item: item.path.name != FIRST)


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
