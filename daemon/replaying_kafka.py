"""What a replay reads from Kafka: raw records of a source and stored findings, without a group or a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from config.kafka import Kafka
from connectors.kafka.admin import administering
from connectors.kafka.batch import Record
from connectors.kafka.bounded_reading import Stretch, read, read_one, stretches
from connectors.kafka.error import NoEntryError
from connectors.kafka.topics import partitions_of


class Later(NamedTuple):
    """A partition whose first records are gone: what is left begins at an append time, seconds (UTC)."""

    place: str
    at: float


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of some topics: from the first record appended at a time to the end of the log."""

    consumer: AIOKafkaConsumer
    parts: Mapping[TopicPartition, Stretch]

    @property
    def records(self) -> int:
        """How many records, at most: transactions leave markers among them."""
        return sum(part.end - part.start for part in self.parts.values())

    def read(self) -> AsyncIterator[Record]:
        """Yield the records. Raises aiokafka.errors.KafkaError."""
        return read(self.consumer, self.parts)

    async def gone(self, since: float) -> list[Later]:
        """Return the partitions that begin after `since` because retention took what was before.

        Raises aiokafka.errors.KafkaError.
        """
        found: list[Later] = []
        for tp, part in self.parts.items():
            if not 0 < part.begins == part.start < part.end:
                continue
            first = await read_one(self.consumer, tp, part.begins)
            if first is not None and first.timestamp / 1000 > since:
                found.append(Later(f"{tp.topic}/{tp.partition}", first.timestamp / 1000))
        return found


async def span(kafka: Kafka, consumer: AIOKafkaConsumer, topics: Sequence[str], since: float) -> Span:
    """Return what `topics` hold now of what was appended at `since` (seconds, UTC) and later.

    Raises NoEntryError that names a topic that is not shown, and aiokafka.errors.KafkaError.
    """
    # All names are asked for: to ask for one by name makes it on a broker that makes topics by itself.
    async with administering(kafka) as admin:
        shown = set(await admin.list_topics())
    if hidden := [topic for topic in topics if topic not in shown]:
        raise NoEntryError(f"topic {', '.join(hidden)}: not there, or no right to read it")
    return Span(consumer, await stretches(kafka, consumer, await partitions_of(kafka, topics), since))
