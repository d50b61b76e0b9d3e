"""A real broker for each test, and settings that reach it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.demo.parts.broker import BrokerPart


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
def settings(tmp_path: Path, broker: BrokerPart) -> Settings:
    """Settings for that broker: quick sessions, counters in a file."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "kafka": {
                "brokers": [broker.brokers],
                "session_timeout_s": 2,
                "heartbeat_interval_s": 0.5,
                "rebalance_timeout_s": 3,
                "counters": "file",
            },
        }
    )
