"""`--nightly` plays the long faults and many workers; `--reliability FILE` writes their table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from faults.chain import Chain
from faults.notes import NOTES
from faults.row import Row, page
from parts.kafka import KafkaPart

NIGHT_ONLY: Final = "by_night"
ROWS: Final = pytest.StashKey[list[Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option; it is known when tests/stack/faults is named on the command line."""
    parser.addoption("--reliability", type=Path, help="write the table of the faults to this file")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`workers` is 1 and 2, at night 8 as well; `nightly` tells which it is."""
    nightly = _nightly(metafunc.config)
    if "workers" in metafunc.fixturenames:
        metafunc.parametrize("workers", [1, 2, 8] if nightly else [1, 2])
    if "nightly" in metafunc.fixturenames:
        metafunc.parametrize("nightly", [nightly], ids=["long" if nightly else "short"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What asks for the fixture `by_night` is left out by day; it is still listed as a claim."""
    if _nightly(config) or config.getoption("collectonly"):
        return
    left_out = [item for item in items if NIGHT_ONLY in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table when asked and when there is something to write."""
    rows = session.config.stash.get(ROWS, [])
    file: Path | None = session.config.getoption("--reliability", default=None)
    if file is not None and rows:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(page(rows, NOTES, before), encoding="utf-8")


@pytest.fixture
def by_night() -> None:
    """Asked for by tests that CI has no time for."""


@pytest.fixture
def chain(kafka: KafkaPart, tmp_path: Path) -> Iterator[Callable[..., Chain]]:
    """Return a function that makes a chain of so many workers."""
    with ExitStack() as stack:

        def made(workers: int, **options: Any) -> Chain:
            return Chain(kafka, tmp_path, stack, workers, **options)

        yield made


@pytest.fixture
def reckon(request: pytest.FixtureRequest) -> Callable[[Sequence[Row]], None]:
    """Return a function that keeps rows for the table and fails if one is not good."""

    def kept(rows: Sequence[Row]) -> None:
        request.config.stash.setdefault(ROWS, []).extend(rows)
        for row in rows:
            print(f"{row.fault}: recovery {row.recovery_s:.1f} s")
        wrong = {row.fault: list(row.wrong[:8]) or row for row in rows if not row.good}
        assert not wrong, wrong

    return kept


def _nightly(config: pytest.Config) -> bool:
    return bool(config.getoption("--nightly", default=False))
