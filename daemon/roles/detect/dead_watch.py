"""Reads what respond proved dead (`davylamp.verdicts`), whole at first and then as it comes.

No group is joined and nothing is committed: every worker needs all of it, and reads it again on each start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.bounded_reading import ungrouped
from connectors.kafka.error import told
from connectors.kafka.producer import Report
from connectors.kafka.topics import VERDICTS, partitions_of
from connectors.kafka.watching import fetch_position
from daemon.roles.detect.dead_use import DeadUse
from detectors.dead_credential import DeadCredential, read

KEY: Final = b"dead-credential|"
MAX_BYTES: Final = 64 * 1024
LOAD_S: Final = 10.0
_POLL_MS: Final = 200
_AGAIN_S: Final = 2.0


def stated(value: bytes | None) -> DeadCredential | None:
    """Return the dead credential of a record's value, None for anything else, whoever wrote it."""
    if not value or len(value) > MAX_BYTES:
        return None
    try:
        document: object = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return read(document) if isinstance(document, dict) else None


@dataclass(slots=True)
class DeadWatch:
    """Fills `dead` until cancelled. `loaded` is set once what was there at the start is known."""

    kafka: Kafka
    dead: DeadUse
    report: Report
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    unreadable: int = 0

    def status(self) -> dict[str, int]:
        """Return how many names are looked for, how many were too many, and how many records stated none."""
        known = self.dead.known
        return {"known": len(known), "left_out": known.overflow, "unreadable": self.unreadable}

    async def ready(self) -> None:
        """Wait until the dead of before are known, 10 s at most: no event waits longer for this."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.loaded.wait(), LOAD_S)

    async def run(self) -> None:
        """Read until cancelled; brokers that are away, and a missing right, are told and tried again."""
        while True:
            try:
                async with ungrouped(self.kafka) as consumer:
                    await self._follow(consumer)
            except (KafkaError, OSError) as error:
                self.report(False, f"{VERDICTS}: {told(error)}")
                structlog.get_logger("davylamp.detect").info("verdicts away", error=told(error))
            await asyncio.sleep(_AGAIN_S)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        partitions = await partitions_of(self.kafka, [VERDICTS])
        if not partitions:
            raise KafkaError("not there, or no right to read it")
        consumer.assign(partitions)
        for tp, begin in (await consumer.beginning_offsets(partitions)).items():
            consumer.seek(tp, begin)
        while True:
            polled = await consumer.getmany(*partitions, timeout_ms=_POLL_MS)
            self._take([record for records in polled.values() for record in records])
            if not polled and all(_at_end(consumer, tp) for tp in partitions):
                self.report(True, "")
                self.loaded.set()

    def _take(self, records: Sequence[Any]) -> None:
        found: list[DeadCredential] = []
        for record in records:
            if not (record.key or b"").startswith(KEY) or not record.value:
                continue
            one = stated(record.value)
            if one is None:
                self.unreadable += 1
            else:
                found.append(one)
        if found:
            self.dead.known.add(found)


def _at_end(consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
    highwater = consumer.highwater(tp)
    return highwater is not None and (fetch_position(consumer, tp) or 0) >= highwater
