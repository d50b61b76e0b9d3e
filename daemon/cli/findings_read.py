"""Findings for a report: lines of a file, or what the topic of findings holds since a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from config.kafka import Kafka
from connectors.kafka.bounded_reading import ungrouped
from connectors.kafka.topics import FINDINGS
from daemon.cli.database import FailedError
from daemon.cli.letter_options import done
from daemon.cli.main import NOT_DONE
from daemon.replaying_kafka import span
from daemon.replaying_stored import StoredUnreadableError, finding_of, findings_of
from detectors.finding import Finding, FindingFormatError


def findings_from(
    paths: Sequence[Path], kafka: Kafka | None, since: float, take: Callable[[Finding], None]
) -> int:
    """Give every finding of the files, or without files of Kafka, to `take`; return how many were unreadable.

    `since`: of Kafka only what was appended then (seconds, UTC) and later. Raises FailedError (exit code 3).
    """
    if paths or kafka is None:
        try:
            for path in paths:
                for finding in findings_of(path):
                    take(finding)
        except StoredUnreadableError as error:
            raise FailedError(str(error), NOT_DONE) from error
        return 0
    return done(kafka, _kafka(kafka, since, take))


async def _kafka(kafka: Kafka, since: float, take: Callable[[Finding], None]) -> int:
    unreadable = 0
    async with ungrouped(kafka) as consumer:
        async for record in (await span(kafka, consumer, [FINDINGS], since)).read():
            try:
                take(finding_of(record.value))
            except FindingFormatError:
                unreadable += 1
    return unreadable
