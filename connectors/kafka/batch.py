"""What a batch consumer hands to its handlers, and what they hand back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from aiokafka.structs import ConsumerRecord, TopicPartition

from connectors.kafka.conservation import Counters

Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Records of one partition in offset order.

    Those below `committed` were accounted for before a restart: they are here only because the
    handler asked to read its block again, and must not be counted.
    """

    tp: TopicPartition
    records: Sequence[Record]
    committed: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that were gone before they could be read. `records` is None when nobody can know how many.

    `retention`: the log begins after the place where reading stood. `recreated`: the log ends
    before it, or begins anew: the topic was deleted or the broker lost it. `reset`: somebody else committed
    an offset, and reading goes on there.

    `expected`: where reading stood, None when that is not known. `topic_id`: the id of the new log, where
    the broker tells ids.
    """

    tp: TopicPartition
    kind: Literal["retention", "recreated", "reset"]
    expected: int | None
    resumed: int
    records: int | None
    topic_id: str = ""

    @property
    def count(self) -> int:
        """What goes into the counter: the number of records, at least 1 when it is not known."""
        return 1 if self.records is None else self.records


class Handler(Protocol):
    """The work of one lane. Its methods never run at the same time."""

    def assigned(self, resume: Mapping[TopicPartition, int]) -> None:
        """Take note of the lane's partitions and the offsets that they resume from; forget the rest."""
        ...

    async def handle(self, batches: Sequence[PartitionBatch]) -> Mapping[TopicPartition, Counters]:
        """Do the work and return the counts by partition, after all output is confirmed.

        The offsets are committed when this returns. It must retry what is away until cancelled; an
        exception ends the consumer, nothing is committed.
        """
        ...

    async def lost(self, loss: Loss) -> None:
        """Report a loss as a critical finding; returns when that is confirmed."""
        ...


@dataclass(frozen=True, slots=True)
class Lane:
    """Topics that are read, handled and committed on their own, so that one lane never waits for another."""

    name: str
    topics: tuple[str, ...]
    handler: Handler
    max_records: int
