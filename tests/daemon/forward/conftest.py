"""A real broker for each test, and settings that reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, quick_kafka: dict[str, object]) -> Settings:
    """Quick sessions, counters in a file, one file target."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "kafka": quick_kafka,
        }
    )
