"""After an assignment: where each partition goes on, and which checkpoints have to be written first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.kafka import Kafka
from connectors.kafka.accounting import account
from connectors.kafka.assignment import Ends, first_loss, resume_offset
from connectors.kafka.batch import Lane
from connectors.kafka.checkpoint import Checkpoint
from connectors.kafka.client import admin_options
from connectors.kafka.committed import committed_offsets
from connectors.kafka.ledger import Ledger
from connectors.kafka.log_end import log_ends
from connectors.kafka.reading import Place


@dataclass(frozen=True, slots=True)
class Found:
    """What the brokers and the store say of the owned partitions, before anything is judged."""

    committed: dict[TopicPartition, OffsetAndMetadata | None]
    held: dict[TopicPartition, Checkpoint | None]
    ends: dict[TopicPartition, Ends]


async def look(
    kafka: Kafka, consumer: AIOKafkaConsumer, ledger: Ledger, owned: Sequence[TopicPartition]
) -> Found:
    """Ask for the commits, the ends of the logs and the checkpoints. Raises KafkaError, KafkaRoomError."""
    committed = await committed_offsets(admin_options(kafka), ledger.group, owned)
    start = await consumer.beginning_offsets(owned) if owned else {}
    end = await consumer.end_offsets(owned) if owned else {}
    held = await ledger.load(committed)
    suspect = {tp: end[tp] for tp, found in held.items() if found is not None and found.offset > end[tp]}
    end |= await log_ends(kafka, suspect)
    return Found(committed, held, {tp: Ends(start[tp], end[tp]) for tp in owned})


async def resume(
    found: Found, lanes: Sequence[Lane], reread: Callable[[int], int]
) -> tuple[dict[TopicPartition, Place], dict[TopicPartition, Checkpoint]]:
    """Return the places to go on from, and the checkpoints that the group's commits do not state yet.

    Every loss is reported before this returns.
    """
    places: dict[TopicPartition, Place] = {}
    stale: dict[TopicPartition, Checkpoint] = {}
    for tp, ends in found.ends.items():
        checkpoint = found.held[tp] or Checkpoint(ends.start)
        loss = first_loss(tp, checkpoint.offset, ends)
        if loss is not None:
            checkpoint = await account(lanes, loss, checkpoint)
        committed = found.committed[tp]
        if loss is not None or committed is None or committed.offset != checkpoint.offset:
            stale[tp] = checkpoint
        places[tp] = Place(checkpoint, resume_offset(reread(checkpoint.offset), ends))
    return places, stale
