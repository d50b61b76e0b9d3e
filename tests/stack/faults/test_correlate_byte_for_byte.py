"""correlate on real Kafka: the same finals for any number of workers, arrival, kills, and on replay."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from faults.match_log import RULE_FILE, MatchLog, finals, heartbeats
from kafka.role_child import RoleChild
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

from connectors.kafka.topics import MATCHES
from daemon.roles.correlate.rewinding import rewind

LOG = MatchLog(seed=7)
KILLS = 2
WAIT_S = 120.0


@pytest.fixture
def stage(kafka: KafkaPart, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(kafka.brokers, tmp_path, stack, RULE_FILE)


class Correlating:
    """So many workers; one that ends is started again."""

    def __init__(self, stage: Stage, count: int) -> None:
        self._stage = stage
        self.workers: list[RoleChild] = [stage.role("correlate", f"worker-{n}") for n in range(count)]

    def start(self) -> None:
        for worker in self.workers:
            worker.keep()
        for worker in self.workers:
            worker.wait_ready(WAIT_S)

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()

    def finals(self) -> set[bytes]:
        return finals(self._stage.cluster.documents("davylamp.findings"))

    def wait_read(self) -> None:
        """Wait until everything is acknowledged, with a heartbeat a second as detect writes them.

        Without any, Faust may never commit a partition that was read while its group was still forming:
        it takes a commit that failed for one that was made, until the next record comes (measured).
        """
        cluster = self._stage.cluster
        ends = {n: end for n, (_, end) in cluster.ends(MATCHES).items()}

        def read() -> bool:
            for worker in self.workers:
                worker.keep()
            cluster.fill(heartbeats(LOG.beyond, idle=True))
            time.sleep(1.0)
            placed = cluster.committed("davylamp-correlate").items()
            reached = {p.partition: c.offset for p, c in placed if p.topic == MATCHES}
            return all(reached.get(n, 0) >= end for n, end in ends.items())

        until(read, lambda: [worker.log() for worker in self.workers], WAIT_S)


@pytest.mark.claim(
    "correlate's finals are byte for byte the same for one and two workers (eight at night), shuffled within"
    " lateness, with kill -9 at random points, and when everything is read again"
)
def test_finals_are_byte_for_byte_the_same(stage: Stage, workers: int) -> None:
    wanted = LOG.finals()
    assert len(wanted) > 20
    records = LOG.records(seed=workers)
    draw = random.Random(workers)
    correlating = Correlating(stage, workers)
    correlating.start()
    size = len(records) // (KILLS + 1) + 1
    for begin in range(0, len(records), size):
        stage.cluster.fill(records[begin : begin + size])
        if begin + size < len(records):
            time.sleep(draw.random() * 0.6)
            worker = draw.choice(correlating.workers)
            worker.kill()
            worker.keep()
    correlating.wait_read()
    assert correlating.finals() == wanted
    correlating.stop()
    asyncio.run(rewind(stage.settings))
    correlating.start()
    correlating.wait_read()
    correlating.stop()
    assert correlating.finals() == wanted, "reading everything again says nothing new"
