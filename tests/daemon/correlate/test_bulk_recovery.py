"""Tables read in bulk from a real changelog: up to the end that was asked for, from where they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from faust.types import TP

from config.settings import Settings
from connectors.kafka.admin import administering
from connectors.kafka.client import consumer_options, producer_options
from connectors.kafka.topics import changelog_definitions, make_topics
from daemon.roles.correlate.recovery import Read, read_in_bulk

COUNT = 1_200


class Kept:
    """A table that keeps what it is given."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], bytes | None] = {}
        self.offsets: list[int] = []

    def apply_changelog_batch(self, batch: Iterable[Read]) -> None:
        for read in batch:
            self.values[read.message.partition, read.key] = read.value
            self.offsets.append(read.message.offset)


async def written(settings: Settings, topic: str) -> None:
    async with administering(settings.kafka) as admin:
        await make_topics(admin, changelog_definitions(settings.kafka, [topic]))
    async with AIOKafkaProducer(**producer_options(settings.kafka)) as producer:
        for number in range(COUNT):
            value = None if number == 7 else b"%d" % number
            key = orjson.dumps(f"k{number}")
            await producer.send(topic, value, key=key, partition=number % 2)


def bulk(settings: Settings, kept: Kept, ends: Mapping[TP, int], offsets: Counter[TP]) -> Any:
    options = consumer_options(settings.kafka, "davylamp-correlate")
    return read_in_bulk(options, dict.fromkeys(ends, kept), ends, offsets)


async def test_a_table_is_read_up_to_the_end_that_was_asked_for(role_settings: Settings) -> None:
    topic = "bulk-recovery-changelog"
    await written(role_settings, topic)
    zero, one = TP(topic, 0), TP(topic, 1)
    kept, offsets = Kept(), Counter({zero: -1, one: 99})
    async with asyncio.timeout(30):
        await bulk(role_settings, kept, {zero: COUNT // 2 - 11, one: COUNT // 2 - 1}, offsets)
    wanted = {(0, f"k{2 * n}"): b"%d" % (2 * n) for n in range(COUNT // 2 - 10)}
    wanted |= {(1, f"k{2 * n + 1}"): b"%d" % (2 * n + 1) for n in range(100, COUNT // 2)}
    assert kept.values == wanted, "neither what the table has already nor what lies behind the end"
    assert offsets == {zero: COUNT // 2 - 11, one: COUNT // 2 - 1}
    again, deleted = Kept(), Counter({one: 2})
    await bulk(role_settings, again, {one: 3}, deleted)
    assert again.values == {(1, "k7"): None}
