"""A million random pairs: index on, index off and an independent oracle agree; SQLite differs only by name.

`python tests/differential/differential.py --pairs N` runs more, from any seed.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PAIRS = 1_000_000
FIRST_SEED = 1


@pytest.fixture
def differential(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The comparison, whose files stand beside this one."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("differential")


def test_a_million_pairs_agree_or_differ_by_name(differential: Any) -> None:
    if not differential.SQLITE:
        pytest.skip("pysigma-backend-sqlite is not installed")
    first = int(os.environ.get("DIFFERENTIAL_SEED", FIRST_SEED))
    tally = differential.compare(PAIRS, first, sqlite=True)
    print(differential.report(tally, first, 0))
    assert not tally.unexplained, tally.unexplained[:5]
    assert tally.pairs >= PAIRS
    assert tally.matched / tally.pairs > 0.1
    assert tally.asked_sqlite > PAIRS / 2


def test_the_engine_agrees_with_the_oracle_without_sqlite(differential: Any) -> None:
    tally = differential.compare(20_000, 900_001, sqlite=False)
    assert not tally.unexplained, tally.unexplained[:5]


def test_a_wrong_answer_is_found(differential: Any) -> None:
    round_of = importlib.import_module("comparison")
    one, tally = round_of.Round(3), round_of.Tally()
    right = one.oracles[0]
    one.oracles[0] = lambda fields: not right(fields)
    one.run(tally, sqlite=False)
    assert len(tally.unexplained) >= 2 * len(one.events)
