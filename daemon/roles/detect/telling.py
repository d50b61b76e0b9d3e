"""What rules say in one partition of a batch, as it is written: sent, or recorded and held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from aiokafka.structs import TopicPartition

from connectors.kafka.conservation import Counters
from connectors.kafka.producer import Message
from daemon.roles.detect.outputs import finding_message
from detectors.exception.hits import Hits
from detectors.finding import Finding
from detectors.lifecycle.breaker import Breaker
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.held import HELD


class Telling:
    """Judges findings by the gate, then by the breaker; nothing is made before the first finding.

    `counts` gets ``findings:sent`` and ``findings:held:WHY``, and at the end what the breaker knows.
    """

    def __init__(
        self,
        tp: TopicPartition,
        gate: Gate,
        flood_limit: int,
        counters_of: Callable[[TopicPartition], Mapping[str, int]],
        counts: Counters,
    ) -> None:
        self.hits: list[str] = []
        self._tp = tp
        self._gate = gate
        self._limit = flood_limit
        self._counters_of = counters_of
        self._counts = counts
        self._breaker: Breaker | None = None

    def messages(self, findings: Sequence[Finding], appended: float) -> Iterator[Message]:
        """Yield the messages of a record's findings; `appended` is its append time, seconds (UTC)."""
        breaker = self._breaker
        if breaker is None:
            known = self._counters_of(self._tp)
            breaker = self._breaker = Breaker(self._limit, self._tp.topic, self._tp.partition, known)
        for finding in findings:
            judged, flood = self._gate.judge(finding), None
            if judged is finding:
                judged, flood = breaker.take(finding, appended)
            if judged is finding:
                self._count("findings:sent", 1)
            else:
                self._count(f"findings:held:{judged.labels[HELD]}", 1)
                self.hits += Hits.of(judged)
            yield finding_message(judged)
            if flood is not None:
                yield finding_message(flood)

    def finish(self) -> None:
        """Put into the counts what the breaker is to know in the next batch."""
        if self._breaker is not None:
            for name, moved in self._breaker.changes().items():
                self._count(name, moved)

    def _count(self, name: str, number: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + number
