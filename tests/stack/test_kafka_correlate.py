"""correlate on real Kafka: its tables and its acknowledgements hold when workers are killed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka.bursts import burst, end_of_time, episodes, finals
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

USERS = "abcdefgh"


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, "burst.yml")


@pytest.mark.claim("correlate's finals are exact when one of two workers is killed (kill -9) in the middle")
def test_finals_are_exact_when_one_of_two_workers_is_killed(stage: Stage) -> None:
    log = list(itertools.chain(*(burst(user, n % 4) for n, user in enumerate(USERS))))
    wanted = set[tuple[str, ...]]().union(*(episodes(user) for user in USERS))
    one, two = (stage.role("correlate", name).start() for name in ("one", "two"))
    one.wait_ready()
    two.wait_ready()
    stage.cluster.fill(log[::3])
    time.sleep(0.3)
    stage.cluster.fill(log[1::3])
    one.kill()
    stage.cluster.fill(log[2::3] + end_of_time())

    def found() -> set[tuple[str, ...]]:
        """A worker that was not given every record ends itself rather than skip one: it is started again."""
        two.keep()
        return finals(stage.cluster.documents("davylamp.findings"))

    def acknowledged() -> dict[int, int]:
        places = stage.cluster.committed("davylamp-correlate")
        return {p.partition: at.offset for p, at in places.items() if p.topic == "davylamp.matches"}

    until(lambda: found() >= wanted, lambda: (wanted - found(), two.status(), two.log()))
    ends = {p: end for p, (_, end) in stage.cluster.ends("davylamp.matches").items()}
    # What was found but not yet acknowledged when the group changed is read again: the last to be done.
    until(lambda: found() >= wanted and acknowledged() == ends, lambda: (acknowledged(), two.log()))
    two.stop()
    last = finals(stage.cluster.documents("davylamp.findings"))
    assert last == wanted, "a restart or a takeover makes no final that was not there"
    assert acknowledged() == ends, "stopping takes no acknowledgement back"
