"""respond as its own processes on real Kafka, with 500 targets, and its database as it lies on the disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import orjson
from kafka.role_child import RoleChild
from kafka.stage import Stage
from parts.kafka import KafkaPart
from response_life.scene import theft
from sqlalchemy import func, select

from connectors.kafka.topics import FINDINGS
from connectors.store import places, schema
from connectors.store.database import Database, upgrade
from connectors.store.ingest import CONSUMER
from daemon.demo.parts.ports import free_port
from detectors.finding import Finding
from playbooks.target import TargetRef

TARGETS: Final = 500
OWNERS: Final = 40
WAIT_S: Final = 120.0
PLENTY: Final = 1000
_KIND: Final = "database_static_role"


class Desk:
    """A broker with empty topics, a database of record, and respond workers that end with `stack`.

    There is no vault, so nothing that was queued begins: what is looked at is what was decided.
    """

    def __init__(self, kafka: KafkaPart, folder: Path, stack: ExitStack) -> None:
        self._stage = Stage(kafka.brokers, folder, stack, "stopped-trail.yml")
        self._url = f"sqlite:///{folder / 'davylamp.db'}"
        self._partitions = self._stage.cluster.topics()[FINDINGS]
        self._made = 0
        upgrade(self._url)
        self.database = Database(self._url)
        stack.callback(self.database.close)

    def worker(self) -> RoleChild:
        """Return one more worker, not started."""
        self._made += 1
        return self._stage.role("respond", f"respond-{self._made}", **_sections(self._url))

    def write(self, findings: Sequence[Finding]) -> None:
        """Write findings to their topic, by actor, as detect keys them."""
        self._stage.cluster.fill(
            (FINDINGS, number % self._partitions, orjson.dumps(finding.to_json()))
            for number, finding in enumerate(findings)
        )

    def wait_read(self, workers: Sequence[RoleChild]) -> None:
        """Wait until the database has every record's place."""
        give_up = time.monotonic() + WAIT_S
        ends = self._stage.cluster.ends(FINDINGS)
        while not all(self.places().get((FINDINGS, n), 0) >= end for n, (_, end) in ends.items()):
            assert time.monotonic() < give_up, "\n".join(worker.log() for worker in workers)
            time.sleep(0.05)

    def places(self) -> dict[tuple[str, int], int]:
        """Return the next offsets that respond will read."""
        with self.database.reading() as connection:
            return places.read(connection, CONSUMER)

    def rewind(self) -> None:
        """Let respond read everything again once it is assigned."""
        with self.database.transaction() as connection:
            connection.execute(schema.offsets.delete())

    def decided(self) -> dict[str, Any]:
        """Return what must not change: incidents with their findings, actions, pages."""
        findings, incidents = schema.findings, schema.incidents
        with self.database.reading() as connection:
            rows = connection.execute(
                select(incidents.c.key, findings.c.finding_id).join(
                    findings, findings.c.incident_id == incidents.c.id
                )
            ).all()
            return {
                "incidents": {(key, finding) for key, finding in rows},
                "numbers": connection.execute(select(func.count()).select_from(incidents)).scalar_one(),
                "actions": set(connection.execute(select(schema.actions.c.id)).scalars()),
                "pages": set(connection.execute(select(schema.deliveries.c.notification_id)).scalars()),
            }

    def rows(self, table: Any) -> list[Any]:
        """Return the rows of a table."""
        with self.database.reading() as connection:
            return list(connection.execute(select(table)).mappings())


def target(number: int) -> TargetRef:
    """Return the target of a number; 40 owners share them."""
    return TargetRef(_KIND, "database", f"role-{number}", "internal", f"owner-{number % OWNERS}")


def thefts(numbers: range, at: float) -> list[Finding]:
    """Return thefts of the targets in turn, by 50 actors, each with both signals: three findings each."""
    made = [theft(n, target(n % TARGETS), f"actor-{n % 50}", at, whole=True, level="high") for n in numbers]
    return [finding for findings in made for finding in findings]


def _sections(url: str) -> dict[str, Any]:
    away = f"http://127.0.0.1:{free_port()}"
    probe = {"sslmode": "disable", "observer_password": {"value": "none"}}
    named = [target(number) for number in range(TARGETS)]
    return {
        "response": {
            "database_url": {"value": url},
            "mode": "auto",
            "safety": {"at_once": 100, "kind_floor": PLENTY},
            "targets": [
                {"name": t.name, "classification": t.classification, "owner": t.owner, "probe": probe}
                for t in named
            ],
        },
        "vault": {"address": away, "token": {"value": "none"}, "timeout_s": 1},
        "notify": [{"kind": "webhook", "name": "pager", "url": {"value": away}, "min_level": "high"}],
    }
