"""A raw topic that is deleted and made again, with records in it that nobody had read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import orjson
import pytest
from faults.chain import Chain
from faults.row import Row
from kafka.cluster import Record
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.waiting import until

from connectors.kafka.topics import create_topics

Reckon = Callable[[Sequence[Row]], None]
UNREAD = 40
NEW = 40
PARTITIONS = 4
WAIT_S = 90.0
QUIET_S = 20.0


class Anew:
    """The topic before and after: `read` records that were read, some that nobody reads, a new log."""

    def __init__(self, scene: Chain, read: int) -> None:
        self.scene = scene
        self._read = read
        scene.cluster.fill(_attacks(range(read)))
        until(lambda: scene.counters().get("records:read") == read, scene.counters)

    def make(self) -> None:
        """Write what nobody reads, delete the topic, make it again, write the new log."""
        cluster, after = self.scene.cluster, self._read + UNREAD
        cluster.fill(_attacks(range(self._read, after)))
        cluster.delete(CLOUDTRAIL)
        asyncio.run(create_topics(self.scene.stage.settings, raw=True))
        cluster.fill(_attacks(range(after, after + NEW)))

    def new_ones(self) -> set[str]:
        """Return which events of the new log have a finding."""
        after = self._read + UNREAD
        wanted = {cloudtrail(number)["eventID"] for number in range(after, after + NEW)}
        return {f["event_id"] for f in self.scene.cluster.documents("davylamp.findings")} & wanted

    def told(self) -> int:
        """Return how many partitions are said to have lost something."""
        found = self.scene.cluster.documents("davylamp.findings")
        told = [f for f in found if f["rule_id"] == "davylamp-lost-before-read" and f["level"] == "critical"]
        assert len(told) == self.scene.counters().get("lost_before_read", 0)
        return len(told)

    def read_on(self) -> float:
        """Wait until the new log is read; return the seconds."""
        began = time.monotonic()
        until(lambda: len(self.new_ones()) == NEW, self.scene.workers.logs, WAIT_S)
        return time.monotonic() - began

    def row(self, name: str, recovery_s: float, gap: str = "") -> Row:
        """Return the row: lost without a word is what was unread, unless every partition is told."""
        told = self.told()
        laws = self.scene.workers.violations()
        broker = f"{self.scene.kafka.name} {self.scene.kafka.version}"
        lost = NEW - len(self.new_ones()) + (0 if told == PARTITIONS else UNREAD)
        return Row(name, 1, lost, told, 0, len(laws), recovery_s, broker, laws, gap)


def _attacks(numbers: range) -> list[Record]:
    return [(CLOUDTRAIL, n % PARTITIONS, orjson.dumps(cloudtrail(n, STOPPED))) for n in numbers]


@pytest.mark.claim(
    "a raw topic made anew behind a frozen worker, with a shorter log than was read, is told and read"
)
def test_a_topic_that_was_made_anew_is_told(chain: Callable[..., Chain], reckon: Reckon) -> None:
    topic = Anew(chain(1), read=400)
    worker = topic.scene.workers.detect[0]
    worker.freeze()
    topic.make()
    worker.thaw()
    recovery_s = topic.read_on()
    reckon([topic.row("topic deleted and made again behind a frozen detect", recovery_s)])


@pytest.mark.claim("known gap: a raw topic made anew while detect is stopped is read on, but not told")
@pytest.mark.usefixtures("by_night")
def test_a_topic_made_anew_behind_a_stopped_worker(chain: Callable[..., Chain], reckon: Reckon) -> None:
    """Kafka deletes a group's commits with their topic: where reading stood is nowhere kept."""
    topic = Anew(chain(1), read=400)
    topic.scene.workers.stop("detect")
    topic.make()
    topic.scene.workers.start()
    gap = "Kafka deletes the commits, and the counters in them, with the topic"
    reckon([topic.row("topic deleted and made again while detect is stopped", topic.read_on(), gap)])


@pytest.mark.claim("known gap: a new log that is as long as what was read looks like the old one going on")
@pytest.mark.usefixtures("by_night")
def test_a_topic_made_anew_with_a_log_as_long(chain: Callable[..., Chain], reckon: Reckon) -> None:
    """Offsets cannot tell the two logs apart; only the topic's id could."""
    topic = Anew(chain(1), read=NEW)
    worker = topic.scene.workers.detect[0]
    worker.freeze()
    topic.make()
    worker.thaw()
    time.sleep(QUIET_S)
    gap = "offsets alone do not tell the new log from the old"
    reckon([topic.row("the same, with a new log as long as what was read", 0.0, gap)])
