"""docs/sigma-semantics.md: every decision names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "sigma-semantics.md"
TESTS = "".join(
    file.read_text(encoding="utf-8") for file in HERE.parents[1].rglob("test_*.py") if file != Path(__file__)
)
SUITE = HERE.parents[1] / "conformance"
ROWS = re.findall(
    r"^\| (?!question)(?!-)([^|]+) \| .+ \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.M
)


@pytest.mark.parametrize(("question", "held_by"), ROWS, ids=[row[0] for row in ROWS])
def test_a_decision_is_held_by_tests_that_are_there(question: str, held_by: str) -> None:
    names = re.findall(r"`([^`]+)`", held_by)
    assert names
    for name in names:
        if "/" in name:
            topic, _, entry = name.rpartition("/")
            assert re.search(
                rf"^- id: {entry}$", (SUITE / f"{topic}.yml").read_text(encoding="utf-8"), re.M
            ), name
            continue
        pattern = rf"def {name}\(" if name.startswith("test_") else rf'\("{re.escape(name)}",'
        assert re.search(pattern, TESTS), name


def test_the_page_has_its_decisions() -> None:
    assert len(ROWS) >= 30
