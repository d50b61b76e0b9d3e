"""Findings from Kafka into the database of record: each batch with its offsets in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog
from aiokafka.structs import TopicPartition

from connectors.kafka.batch import Loss, PartitionBatch, Record
from connectors.kafka.conservation import Counters
from connectors.store import audit
from connectors.store.database import Database
from connectors.store.ingest import IngestReport, Received, ingest
from daemon.roles.respond.checkpoints import SqlCheckpoints
from daemon.roles.respond.metrics import RespondMetrics
from daemon.roles.respond.patience import patiently
from daemon.runtime import Health
from detectors.finding import Finding, FindingFormatError
from playbooks.policy import Policy
from playbooks.ports import Clock

GROUP: Final = "davylamp-respond"
MAX_FINDING_BYTES: Final = 4 * 1024 * 1024
_OUTCOMES: Final = ("repeated", "aliases", "known_aliases", "informational", "context", "own", "joined")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of the findings topic that is none."""

    place: str
    reason: str


def read_finding(record: Record) -> Finding | BadRecord:
    """Return the finding of a record, or why it is none. The reason holds nothing of the record's content."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    value = record.value
    if not value:
        return BadRecord(place, "empty")
    if len(value) > MAX_FINDING_BYTES:
        return BadRecord(place, "too_large")
    try:
        document: object = orjson.loads(value)
    except orjson.JSONDecodeError:
        return BadRecord(place, "bad_json")
    if not isinstance(document, dict):
        return BadRecord(place, "not_an_object")
    try:
        return Finding.from_json(document)
    except (FindingFormatError, RecursionError, OverflowError):
        return BadRecord(place, "not_a_finding")


@dataclass(slots=True)
class FindingIntake:
    """Implements `connectors.kafka.batch.Handler`. `policy()` gives the policy of this moment."""

    database: Database
    checkpoints: SqlCheckpoints
    health: Health
    clock: Clock
    metrics: RespondMetrics
    policy: Callable[[], Policy]
    after: Callable[[], None]
    read: int = 0
    bad: int = 0
    lost_records: dict[str, int] = field(default_factory=dict[str, int])

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        """Say which partitions are ours."""
        structlog.get_logger("davylamp.respond").info(
            "assigned", partitions={f"{tp.topic}/{tp.partition}": offset for tp, offset in resume.items()}
        )

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        """Take a batch in one transaction with its offsets; a database that is away is waited for."""
        good: list[Received] = []
        bad: list[BadRecord] = []
        for batch in batches:
            for record in batch.records:
                found = read_finding(record)
                if isinstance(found, BadRecord):
                    bad.append(found)
                else:
                    good.append((record.topic, record.partition, record.offset, found))
        offsets = {batch.tp: batch.records[-1].offset + 1 for batch in batches}
        report = await patiently(lambda: self._take(good, bad, offsets), self.health)
        self.checkpoints.ingested(offsets)
        self._count(report, good, bad)
        self.after()
        return {}

    async def lost(self, loss: Loss) -> None:
        """Record findings that were gone before they could be read: audited and shown in `status`."""
        place = f"{loss.tp.topic}/{loss.tp.partition}"
        self.lost_records[place] = self.lost_records.get(place, 0) + loss.count
        self.metrics.lost.labels(loss.tp.topic, str(loss.tp.partition)).inc(loss.count)
        detail = {
            "kind": loss.kind,
            "expected": loss.expected,
            "resumed": loss.resumed,
            "records": loss.records,
        }
        await patiently(lambda: self._audit_loss(place, detail), self.health)

    def _take(
        self, good: Sequence[Received], bad: Sequence[BadRecord], offsets: Mapping[TopicPartition, int]
    ) -> IngestReport:
        now = self.clock()
        rows = {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        if bad:
            self._audit_bad(bad, now)
        return ingest(self.database, good, rows, now, self.policy())

    def _audit_bad(self, bad: Sequence[BadRecord], now: float) -> None:
        """One row a batch: a flood of bad records must not become a flood of rows."""
        detail = {"records": len(bad), "first": bad[0].place, "reason": bad[0].reason}
        with self.database.transaction() as connection:
            audit.record(connection, now, "davylamp", "finding.unreadable", bad[0].place, "refused", detail)

    def _audit_loss(self, place: str, detail: Mapping[str, object]) -> None:
        with self.database.transaction() as connection:
            audit.record(
                connection, self.clock(), "davylamp", "findings.lost_before_read", place, "failed", detail
            )

    def _count(self, report: IngestReport, good: Sequence[Received], bad: Sequence[BadRecord]) -> None:
        self.read += len(good) + len(bad)
        self.bad += len(bad)
        for outcome in _OUTCOMES:
            number = getattr(report, outcome)
            if number:
                self.metrics.ingest.labels(outcome).inc(number)
        if bad:
            self.metrics.ingest.labels("unreadable").inc(len(bad))
