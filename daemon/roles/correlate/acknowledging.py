"""The discipline of one batch: evaluate, await findings, write states, await them, acknowledge by offset.

Stock Faust acknowledges in `finally`, does not wait for changelog sends, and commits past a record that was
never acknowledged (faust-streaming/faust#606). So nothing here is acknowledged before all of its batch is
confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from daemon.roles.correlate.evaluation import Evaluation, Evaluator, Record, States
from daemon.roles.correlate.publishing import Publisher


class Table(States, Protocol):
    """States that can also be written."""

    def write(self, key: str, value: bytes | None, partition: int) -> Awaitable[object]:
        """Set or delete a state; the awaitable ends when the write is confirmed, or raises."""
        ...


E = TypeVar("E")
Acknowledge = Callable[[E], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Discipline:
    """Takes batches of one topic. `timeout_s` bounds the wait for the confirmations of the states."""

    evaluator: Evaluator
    table: Table
    publisher: Publisher
    timeout_s: float

    async def take(self, batch: Sequence[tuple[Record, E]], acknowledge: Acknowledge[E]) -> Evaluation:
        """Take one batch to its end. An exception leaves every record of it unacknowledged."""
        evaluation = self.evaluator.evaluate([record for record, _ in batch], self.table)
        await self.publisher.publish(evaluation.findings)
        writes = [self.table.write(w.key, w.value, w.partition) for w in evaluation.writes]
        async with asyncio.timeout(self.timeout_s):
            await asyncio.gather(*writes)
        for _, event in in_offset_order(batch):
            await acknowledge(event)
        return evaluation


def in_offset_order(batch: Iterable[tuple[Record, E]]) -> list[tuple[Record, E]]:
    """Return a batch partition by partition, each by ascending offset."""
    return sorted(batch, key=lambda item: (item[0].partition, item[0].offset))
