"""The whole log of findings again and again, while the workers that read it are killed at random."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from parts.kafka import KafkaPart
from response_log.desk import Desk, thefts

THEFTS = 60
SETTLE_S = 2.0


@pytest.mark.claim("the findings read again, while workers are killed, add no incident, action, page")
def test_replays_among_kills_change_nothing(
    kafka: KafkaPart, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    passes = 100 if request.config.getoption("--nightly") else 5
    chance = random.Random(7)
    with ExitStack() as stack:
        desk = Desk(kafka, tmp_path, stack)
        desk.write(thefts(range(THEFTS), time.time() - 5))
        workers = [desk.worker(), desk.worker()]
        for worker in workers:
            worker.start()
        desk.wait_read(workers)
        time.sleep(SETTLE_S)
        before = desk.decided()
        assert before["numbers"] > THEFTS
        assert len(before["actions"]) == THEFTS
        for number in range(passes):
            for worker in workers:
                worker.kill()
            desk.rewind()
            for worker in workers:
                worker.start()
            time.sleep(chance.uniform(0.5, 3.0))
            chance.choice(workers).kill()
            for worker in workers:
                worker.keep()
            desk.wait_read(workers)
            assert desk.decided() == before, f"pass {number + 1}"
