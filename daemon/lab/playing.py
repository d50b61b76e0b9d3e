"""A play into the raw topics of a running Davylamp, and what it finds of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.bounded_reading import ungrouped
from connectors.kafka.client import producer_options
from connectors.kafka.log_end import log_ends
from connectors.kafka.topics import FINDINGS
from daemon.demo.traffic.istio_access import text
from daemon.lab.score import keys, score
from daemon.lab.script import Script, labels
from daemon.lab.stage import ISTIO, Played
from daemon.lab.verdict import Score

_FLIGHT: Final = 2000
_POLL_MS: Final = 300


class NoTopicError(Exception):
    """The brokers have no topic of this name; the message says how to make it."""


@dataclass
class Sent:
    """What the brokers confirmed: the labels, and when each record was sent, in seconds of the wall clock."""

    labels: dict[str, Any] = field(default_factory=dict[str, Any])
    at: dict[Any, float] = field(default_factory=dict[Any, float])


async def send(
    script: Script, kafka: Kafka, topics: Mapping[str, str], *, paced: bool = True, mesh_text: bool = False
) -> Sent:
    """Send the records in order and wait until all are confirmed. `topics`: kind of source -> topic.

    `paced`: each when its time has come, else all at once. Raises aiokafka.errors.KafkaError, OSError and
    config.secret.SecretUnreadableError.
    """
    sent, places = Sent(), list[dict[str, Any]]()
    producer = AIOKafkaProducer(**producer_options(kafka), linger_ms=5)
    await producer.start()
    try:
        waiting: list[tuple[Played, float, asyncio.Future[Any]]] = []
        for one in script.played:
            if paced and one.time > time.time():
                await asyncio.sleep(one.time - time.time())
            value = text(one.body) if mesh_text and one.kind == ISTIO else orjson.dumps(one.body)
            future = await producer.send(topics[one.kind], value)
            waiting.append((one, time.time(), future))
            if len(waiting) >= _FLIGHT:
                await _confirmed(waiting, places, sent)
                waiting = []
        await _confirmed(waiting, places, sent)
    finally:
        await producer.stop()
    sent.labels = labels(script, places)
    return sent


async def _confirmed(
    waiting: list[tuple[Played, float, asyncio.Future[Any]]], places: list[dict[str, Any]], sent: Sent
) -> None:
    for one, at, future in waiting:
        done = await future
        place = f"{done.topic}/{done.partition}/{done.offset}"
        places.append({"at": place})
        sent.at[one.source_id or place] = at


@asynccontextmanager
async def watching(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer that stands at the end of the findings' topic, before anything is sent.

    Raises NoTopicError, aiokafka.errors.KafkaError, and what `connectors.kafka.client` raises.
    """
    async with ungrouped(kafka) as consumer:
        found = consumer.partitions_for_topic(FINDINGS) or await _partitions(consumer)
        parts = [TopicPartition(FINDINGS, number) for number in sorted(found)]
        consumer.assign(parts)
        for part, end in (await log_ends(kafka, await consumer.end_offsets(parts))).items():
            consumer.seek(part, end)
        yield consumer


async def _partitions(consumer: AIOKafkaConsumer) -> set[int]:
    await consumer.topics()
    found = consumer.partitions_for_topic(FINDINGS)
    if not found:
        raise NoTopicError(f"the brokers have no topic {FINDINGS}: davylamp topics create makes it")
    return found


async def findings_on(consumer: AIOKafkaConsumer, sent: Sent, wait_s: float) -> Score:
    """Return the score of the findings that come within `wait_s` seconds, sooner if nothing is missing.

    Findings about other events than those that were sent are left alone. A finding's ``wall_s`` is from
    sending the last record that it names to its own record's timestamp. Raises aiokafka.errors.KafkaError.
    """
    findings: list[dict[str, Any]] = []
    until = time.monotonic() + wait_s
    result = score(findings, sent.labels)
    while time.monotonic() < until and result.missed:
        batch = await consumer.getmany(timeout_ms=_POLL_MS)
        for records in batch.values():
            for record in records:
                findings += _ours(record.value or b"", record.timestamp / 1000, sent)
        if batch:
            result = score(findings, sent.labels)
    return result


def _ours(value: bytes, at: float, sent: Sent) -> Iterator[dict[str, Any]]:
    """Yield the finding of a record that was written at `at` (seconds, UTC), if it is about what was sent."""
    try:
        finding = orjson.loads(value)
        times = [sent.at[key] for key in keys(finding) if key in sent.at]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return  # no finding: nothing of ours
    if times:
        yield {**finding, "wall_s": round(max(0.0, at - max(times)), 3)}
