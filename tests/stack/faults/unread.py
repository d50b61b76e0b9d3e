"""Records that nobody had read when their log, or the place in it, was taken away."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import orjson
from faults.chain import DETECT, Chain
from faults.row import Row
from kafka.cluster import Record
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.waiting import until

from connectors.kafka.topics import create_topics

UNREAD: Final = 40
NEW: Final = 40
PARTITIONS: Final = 4
_WAIT_S: Final = 90.0


class Unread:
    """`read` records that were read, some that nobody will read, and new ones behind them."""

    def __init__(self, scene: Chain, read: int) -> None:
        """Write the first ones and wait until they are counted."""
        self.scene = scene
        self._read = read
        scene.cluster.fill(_attacks(range(read)))
        until(lambda: scene.counters().get("records:read") == read, scene.counters)

    def make_anew(self) -> None:
        """Write what nobody reads, delete the topic, make it again, write the new log."""
        self._write_unread()
        self.scene.cluster.delete(CLOUDTRAIL)
        asyncio.run(create_topics(self.scene.stage.settings, raw=True))
        self._write_new()

    def skip(self) -> None:
        """Write what nobody reads, set the group's offsets behind it as an outsider does, write more.

        The group must have no members.
        """
        self._write_unread()
        self.scene.cluster.set_offsets(DETECT, CLOUDTRAIL)
        self._write_new()

    def new_ones(self) -> set[str]:
        """Return which events of the new ones have a finding."""
        wanted = {cloudtrail(number)["eventID"] for number in self._new()}
        return {f["event_id"] for f in self.scene.cluster.documents("davylamp.findings")} & wanted

    def told(self) -> int:
        """Return how many partitions are said to have lost something, once each."""
        found = self.scene.cluster.documents("davylamp.findings")
        told = [f for f in found if f["rule_id"] == "davylamp-lost-before-read" and f["level"] == "critical"]
        assert len(told) == self.scene.counters().get("lost_before_read", 0)
        return len(told)

    def read_on(self) -> float:
        """Wait until the new ones are read; return the seconds."""
        began = time.monotonic()
        until(lambda: len(self.new_ones()) == NEW, self.scene.workers.logs, _WAIT_S)
        return time.monotonic() - began

    def row(self, name: str, recovery_s: float) -> Row:
        """Return the row: lost without a word is what was unread, unless every partition is told.

        Twice is a record of the new ones that was counted twice.
        """
        told = self.told()
        laws = self.scene.workers.violations()
        broker = f"{self.scene.kafka.name} {self.scene.kafka.version}"
        lost = NEW - len(self.new_ones()) + (0 if told == PARTITIONS else UNREAD)
        twice = max(0, self.scene.counters().get("records:read", 0) - self._read - NEW)
        return Row(name, 1, lost, told, twice, len(laws), recovery_s, broker, laws)

    def _write_unread(self) -> None:
        self.scene.cluster.fill(_attacks(range(self._read, self._read + UNREAD)))

    def _write_new(self) -> None:
        self.scene.cluster.fill(_attacks(self._new()))

    def _new(self) -> range:
        after = self._read + UNREAD
        return range(after, after + NEW)


def _attacks(numbers: range) -> list[Record]:
    return [(CLOUDTRAIL, n % PARTITIONS, orjson.dumps(cloudtrail(n, STOPPED))) for n in numbers]
