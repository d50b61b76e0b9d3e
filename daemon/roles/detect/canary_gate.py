"""Which records are canaries: asked only of records that carry the header, and only while canaries are on.

The newest accepted slot of a partition rides in its checkpoint beside the counters, so that a slot is
accepted once also after a crash and a rebalance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.structs import TopicPartition

from connectors.kafka.batch import Record
from connectors.kafka.conservation import CANARIES_CARRIED, Counters
from detectors.canary.finding import came, lost
from detectors.canary.proof import DUE, HEADER, Slot, judge
from detectors.finding import Finding

UNMATCHED: Final = "canary:unmatched"
_ACCEPTED: Final = "canary:accepted"
_NOT_FOUND: Final = "was read and its rule did not find it"


@dataclass(slots=True)
class CanaryGate:
    """Judges records by their header and says what a canary's finding is.

    `keys` are the key and, for a while after a change, the one before; none: canaries are off. `counters_of`
    gives the counters of a partition's checkpoint. `told(source, seconds)` hears, when the finding of a
    canary is confirmed, how long after the record's append that was.
    """

    grace_s: float
    counters_of: Callable[[TopicPartition], Mapping[str, int]]
    clock: Callable[[], float]
    told: Callable[[str, float], None]
    keys: tuple[bytes, ...] = ()
    refused: dict[TopicPartition, tuple[int, str]] = field(
        default_factory=dict[TopicPartition, tuple[int, str]]
    )
    _waiting: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def accepts(self, record: Record, source: str, counts: Counters, *, counted: bool) -> bool:
        """Return whether `record` is a canary; its counts go into `counts` unless they were `counted` before.

        A record that is none is an ordinary event, whatever its header says. One that was counted before is
        read again only for flows: the bytes of a canary feed none, so authentic ones are left out.
        """
        if not self.keys:
            return False
        headers = [value or b"" for name, value in record.headers if name == HEADER]
        if not headers:
            return False
        tp = TopicPartition(record.topic, record.partition)
        newest = self.counters_of(tp).get(DUE, 0) + counts.get(DUE, 0)
        verdict = judge(
            self.keys,
            headers,
            (source, record.topic, record.partition),
            record.value or b"",
            appended=record.timestamp / 1000,
            newest=newest,
            grace_s=self.grace_s,
        )
        if counted:
            return verdict.authentic
        _count(counts, CANARIES_CARRIED)
        if verdict.refusal:
            _count(counts, f"canary:refused:{verdict.refusal}")
            self.refused[tp] = (record.offset, verdict.refusal)
            return False
        _count(counts, _ACCEPTED)
        counts[DUE] = counts.get(DUE, 0) + verdict.due - newest
        return True

    def findings(
        self, record: Record, source: str, findings: Sequence[Finding], counts: Counters
    ) -> Sequence[Finding]:
        """Return what is said of an accepted canary of which the rules say `findings`."""
        due = self.counters_of(TopicPartition(record.topic, record.partition)).get(DUE, 0) + counts[DUE]
        slot = Slot(source, record.topic, record.partition, due)
        appended = record.timestamp / 1000
        found = came(slot, appended, findings)
        if not found:
            _count(counts, UNMATCHED)
            return [lost(slot, _NOT_FOUND)]
        self._waiting.append((source, appended))
        return found

    def begin(self) -> None:
        """A batch begins: what a broken one before it would have said is forgotten."""
        self._waiting.clear()

    def confirmed(self) -> None:
        """The findings of the batch are confirmed: measure."""
        now = self.clock()
        for source, appended in self._waiting:
            self.told(source, max(0.0, now - appended))
        self._waiting.clear()


def closed_gate() -> CanaryGate:
    """Return the gate while canaries are off: no record is one."""
    return CanaryGate(0.0, lambda tp: {}, lambda: 0.0, lambda source, seconds: None)


def _count(counts: Counters, name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
