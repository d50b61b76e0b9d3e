"""respond, on real Kafka, when the database's files cannot grow any more."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import orjson
import pytest
from faults.row import Row
from kafka.cluster import Record
from kafka.expected import Expected
from kafka.records import CLOUDTRAIL, STOPPED, cloudtrail
from kafka.role_child import RoleChild
from kafka.stage import Stage
from kafka.waiting import until
from parts.kafka import KafkaPart

ROOM: Final = 32 * 1024
BEFORE: Final = 60
UNDER: Final = 200
WAIT_S: Final = 60.0


class Book:
    """The database as it lies on the disk."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def url(self) -> str:
        """The URL for the settings."""
        return f"sqlite:///{self.file}"

    def column(self, query: str) -> list[str]:
        """Return the first column of a query; nothing before the tables are there."""
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            try:
                return [row[0] for row in connection.execute(query)]
            except sqlite3.OperationalError:
                return []

    def findings(self) -> set[str]:
        """Return the ids of the rules' findings that are kept."""
        return set(self.column("SELECT finding_id FROM findings WHERE rule_id NOT LIKE 'davylamp-%'"))

    def largest(self) -> int:
        """Return the size of the largest of its files, bytes."""
        return max(file.stat().st_size for file in self.file.parent.glob(f"{self.file.name}*"))


def attacks(numbers: range) -> Iterator[Record]:
    """Give events that a rule finds."""
    for number in numbers:
        yield CLOUDTRAIL, number % 4, orjson.dumps(cloudtrail(number, STOPPED))


def says_why(respond: RoleChild) -> bool:
    """Whether respond says that the database does not take writes."""
    known = respond.readiness().get("dependencies", {}).get("database", {})
    return "disk" in known.get("detail", "")


@pytest.mark.claim("respond says that its database cannot grow, waits, and has every finding once afterwards")
def test_a_full_disk_below_the_store_is_said_and_waited_for(
    kafka: KafkaPart, tmp_path: Path, reckon: Callable[[Sequence[Row]], None]
) -> None:
    book = Book(tmp_path / "davylamp.db")
    with ExitStack() as stack:
        stage = Stage(kafka.brokers, tmp_path, stack, "stopped-trail.yml")
        expected = Expected(stage.settings)
        detect = stage.role("detect", "detect")
        respond = stage.role("respond", "respond", response={"database_url": {"value": book.url}})
        for worker in (detect, respond):
            worker.start()
        for worker in (detect, respond):
            worker.wait_ready(WAIT_S)
        write(stage, expected, range(BEFORE))
        until(lambda: book.findings() == expected.findings, respond.log, WAIT_S)
        respond.limit_files(book.largest() + ROOM)
        write(stage, expected, range(BEFORE, BEFORE + UNDER))
        respond.wait_for(lambda: says_why(respond), WAIT_S)
        respond.limit_files(None)
        whole_at = time.monotonic()
        until(lambda: book.findings() == expected.findings, respond.log, WAIT_S)
        respond.wait_ready(WAIT_S)
        recovery_s = time.monotonic() - whole_at
        incidents = set(book.column("SELECT id FROM incidents"))
        until(lambda: incidents <= told(stage), respond.log, WAIT_S)
        broken = [*book.column("PRAGMA integrity_check"), *respond.status().get("violations", [])]
        again = [*(book.findings() - expected.findings), *(told(stage) - incidents)]
    name = "disk full below respond's SQLite (files cannot grow)"
    row = Row(name, 1, 0, 0, 0, 0, recovery_s, f"{kafka.name} {kafka.version}")
    reckon([row.and_also((), again, [text for text in broken if text != "ok"])])


def write(stage: Stage, expected: Expected, numbers: range) -> None:
    """Write attacks and take them into what is expected."""
    made = list(attacks(numbers))
    expected.add(made)
    stage.cluster.fill(made)


def told(stage: Stage) -> set[str]:
    """Return the ids of the incidents that respond has published."""
    return {(message.key() or b"").decode() for message in stage.cluster.everything("davylamp.incidents")}
