"""Cases of the four sources by name: `case("vault_audit", "denied")` is a fresh copy of the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sources.catalogue import profile
from detectors.event import Event, Locator

DATA = Path(__file__).parent / "data"


def load(kind: str) -> dict[str, dict[str, Any]]:
    """Return case name -> the whole case."""
    lines = (DATA / f"{kind}.jsonl").read_text().splitlines()
    return {found["case"]: found for found in map(json.loads, lines)}


@pytest.fixture
def record() -> Callable[[str, str], dict[str, Any]]:
    """Return a fresh copy of the record of a case."""
    return lambda kind, name: load(kind)[name]["record"]


@pytest.fixture
def event(record: Callable[[str, str], dict[str, Any]]) -> Callable[..., Event]:
    """Return the event of a case; keywords replace top-level keys of the record."""

    def make(kind: str, name: str, **changes: Any) -> Event:
        return profile(kind).parse({**record(kind, name), **changes}, Locator("t", 0, 7, 0))

    return make
