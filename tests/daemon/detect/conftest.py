"""A real broker for each test, settings that reach it, one rule of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings

RULE = Path(__file__).parent / "data" / "stopped-trail.yml"


@pytest.fixture
def settings(tmp_path: Path, quick_kafka: dict[str, object]) -> Settings:
    """Quick sessions, counters in a file, small batches, no rules but the test's."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "kafka": quick_kafka,
            "detection": {"builtin_rules": False, "rules": [RULE], "batch_records": 100},
        }
    )
