"""Dead letters from the topic: all that a filter holds, counted, and the newest of them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeAlias

from config.kafka import Kafka
from connectors.kafka.bounded_reading import read_to_end, ungrouped
from connectors.kafka.letter import Letter
from connectors.kafka.topics import DEAD_LETTERS, partitions_of

Kind: TypeAlias = tuple[str, str, str, str]
"""Reason, role, source, target."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; None means any."""

    reason: str | None = None
    source: str | None = None
    target: str | None = None

    def holds(self, letter: Letter) -> bool:
        """Return whether the letter is wanted."""
        return all(
            want in (None, have)
            for want, have in (
                (self.reason, letter.reason),
                (self.source, letter.source),
                (self.target, letter.target),
            )
        )


@dataclass(slots=True)
class Letters:
    """How many letters there are of each kind, and the newest `limit` of all."""

    limit: int
    counts: Counter[Kind] = field(default_factory=Counter[Kind])
    _newest: list[tuple[float, int, Letter]] = field(default_factory=list[tuple[float, int, Letter]])

    def add(self, letter: Letter) -> None:
        """Count a letter, and keep it while it is among the newest."""
        self.counts[letter.reason, letter.role, letter.source, letter.target] += 1
        item = (letter.at, self.counts.total(), letter)
        if len(self._newest) < self.limit:
            heapq.heappush(self._newest, item)
        else:
            heapq.heappushpop(self._newest, item)

    @property
    def newest(self) -> list[Letter]:
        """The newest letters, the newest first."""
        return [letter for _, _, letter in sorted(self._newest, key=lambda item: item[:2], reverse=True)]


async def letters(kafka: Kafka, wanted: Wanted) -> AsyncIterator[Letter]:
    """Yield the letters that the topic holds now. Joins no group. Raises aiokafka.errors.KafkaError."""
    partitions = await partitions_of(kafka, [DEAD_LETTERS])
    async with ungrouped(kafka) as consumer:
        async for record in read_to_end(kafka, consumer, partitions):
            letter = Letter.of(record)
            if wanted.holds(letter):
                yield letter
