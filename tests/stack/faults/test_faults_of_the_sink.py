"""forward from real Kafka to a real OpenSearch behind a front: it refuses, is slow, busy, or takes half."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from faults.front import Front, Mode, front_of
from faults.row import Row
from kafka.cluster import Record
from kafka.expected import Expected, counters_in_commits
from kafka.records import mixture
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart
from parts.opensearch import OpenSearchPart
from parts.watched_siem import new_namespace, stored, watched

from connectors.kafka.conservation import forward_violations

GROUP: Final = "davylamp-forward-opensearch"
PATIENCE_S: Final = 1.0
HALF: Final = 100
AWAY_S: Final = 90.0
FAULTS: Final[dict[Mode, str]] = {
    "refuses": "SIEM ends every connection without an answer",
    "slow": "SIEM answers after forward has given up waiting",
    "busy": "SIEM answers 429",
    "half": "SIEM refuses half of each bulk (429)",
}


class Sink:
    """A forward worker, what it must deliver, and what the node holds."""

    def __init__(self, kafka: KafkaPart, node: OpenSearchPart, folder: Path, stack: ExitStack) -> None:
        self._node = node
        self._namespace = new_namespace()
        asyncio.run(self._bootstrap())
        self.front: Front = stack.enter_context(front_of(node.url))
        self.stage = Stage(kafka.brokers, folder, stack, "stopped-trail.yml")
        self.expected = Expected(self.stage.settings)
        self._records: Iterator[Record] = mixture(HALF * 2 * len(FAULTS), seed=9)
        target = {
            "kind": "opensearch",
            "name": "opensearch",
            "urls": [self.front.url],
            "request_timeout_s": PATIENCE_S,
        }
        forwarding = {"namespace": self._namespace, "targets": [target]}
        self.worker = self.stage.role("forward", "forward", forwarding=forwarding).start()
        self.worker.wait_ready()

    async def _bootstrap(self) -> None:
        async with watched(self._node, self._namespace):
            pass

    def write(self) -> None:
        """Write some records."""
        some = [record for _, record in zip(range(HALF), self._records, strict=False)]
        self.expected.add(some)
        self.stage.cluster.fill(some)

    def counters(self) -> dict[str, int]:
        """Return forward's counters in its commits."""
        return counters_in_commits(self.stage.cluster, GROUP)

    def done(self) -> bool:
        """Whether forward has accounted for every event that was written."""
        counted = self.counters()
        there = counted.get("items:delivered", 0) + counted.get("items:already_there", 0)
        return there >= len(self.expected.events)

    def held(self) -> Counter[str]:
        """Return event id -> documents that the node holds."""
        return Counter(hit["_source"]["event"]["id"] for hit in stored(self._node, "events", self._namespace))

    def row(self, name: str, recovery_s: float, broker: str) -> Row:
        """Return the row of a fault: what the node holds now against what was written."""
        held, laws = self.held(), [*forward_violations(self.counters())]
        missing = self.expected.events - held.keys()
        too_much = [*(one for one, count in held.items() if count > 1), *(held.keys() - self.expected.events)]
        counted = sum(self.counters().get(f"items:{name}", 0) for name in ("delivered", "already_there"))
        if counted != len(self.expected.events):
            laws.append(f"counted {counted} of {len(self.expected.events)} documents")
        row = Row(name, 1, 0, 0, 0, 0, recovery_s, broker)
        return row.and_also(missing, too_much, [*laws, *self.worker.status().get("violations", [])])


@pytest.mark.claim(
    "forward loses no event and stores none twice when the SIEM refuses, is slower than forward waits,"
    " answers 429, or takes half of a bulk"
)
def test_the_sink_gets_every_event_once(
    kafka: KafkaPart, opensearch: OpenSearchPart, tmp_path: Path, reckon: Callable[[Sequence[Row]], None]
) -> None:
    broker = f"{kafka.name} {kafka.version}, {opensearch.name} {opensearch.version}"
    rows: list[Row] = []
    with ExitStack() as stack:
        sink = Sink(kafka, opensearch, tmp_path, stack)
        for mode, name in FAULTS.items():
            sink.write()
            sink.front.set(mode)
            sink.write()
            until(lambda: sink.front.made >= 2, sink.worker.log, AWAY_S)
            sink.front.set("through")
            whole_at = time.monotonic()
            until(sink.done, lambda: (sink.counters(), sink.worker.log()), AWAY_S)
            rows.append(sink.row(name, time.monotonic() - whole_at, broker))
        sink.worker.stop()
    reckon(rows)
