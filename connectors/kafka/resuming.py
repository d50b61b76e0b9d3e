"""After an assignment: where each partition goes on, and which checkpoints have to be written first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from config.kafka import Kafka
from connectors.kafka.accounting import account
from connectors.kafka.assignment import Ends, first_loss, resume_offset
from connectors.kafka.batch import Lane, Loss
from connectors.kafka.checkpoint import Checkpoint, Log, read_commit
from connectors.kafka.client import admin_options
from connectors.kafka.committed import committed_offsets
from connectors.kafka.incarnation import Logs
from connectors.kafka.ledger import Ledger
from connectors.kafka.log_end import log_ends
from connectors.kafka.reading import Place
from connectors.kafka.topic_id import topic_ids


@dataclass(frozen=True, slots=True)
class Found:
    """What the brokers and the store say of the owned partitions, before anything is judged.

    `logs` is about all topics of the group, and the checkpoints of all their partitions.
    """

    committed: dict[TopicPartition, OffsetAndMetadata | None]
    held: dict[TopicPartition, Checkpoint | None]
    ends: dict[TopicPartition, Ends]
    logs: Logs


async def look(
    kafka: Kafka,
    consumer: AIOKafkaConsumer,
    ledger: Ledger,
    owned: Sequence[TopicPartition],
    topics: Sequence[str],
) -> Found:
    """Ask for the commits, the ends of the logs and the checkpoints. Raises KafkaError, KafkaRoomError."""
    counts = {topic: consumer.partitions_for_topic(topic) or set[int]() for topic in topics}
    everything = {TopicPartition(topic, number) for topic, numbers in counts.items() for number in numbers}
    ids = await topic_ids(consumer, everything) if owned else {}
    asked = sorted(everything | set(owned)) if owned else []
    commits = await committed_offsets(admin_options(kafka), ledger.group, asked)
    committed = {tp: commits[tp] for tp in owned}
    start = await consumer.beginning_offsets(owned) if owned else {}
    end = await consumer.end_offsets(owned) if owned else {}
    held = await ledger.load(committed)
    suspect = {tp: end[tp] for tp, found in held.items() if found is not None and found.offset > end[tp]}
    end |= await log_ends(kafka, suspect)
    others = {tp: read_commit(commit) for tp, commit in commits.items() if commit is not None}
    known = {tp: one for tp, one in held.items() if one is not None}
    now = {topic: Log(topic_id, len(counts[topic])) for topic, topic_id in ids.items()}
    return Found(committed, held, {tp: Ends(start[tp], end[tp]) for tp in owned}, Logs(now, others | known))


async def resume(
    found: Found, lanes: Sequence[Lane], reread: Callable[[int], int], metadata: Callable[[Checkpoint], str]
) -> tuple[dict[TopicPartition, Place], dict[TopicPartition, Checkpoint]]:
    """Return the places to go on from, and the checkpoints that the group's commits do not state yet.

    Every loss is reported before this returns. `metadata` is what a checkpoint's commit has to carry.
    """
    places: dict[TopicPartition, Place] = {}
    stale: dict[TopicPartition, Checkpoint] = {}
    statement = found.logs.statement(found.ends)
    for tp, ends in found.ends.items():
        held = found.held[tp]
        checkpoint = replace(held or Checkpoint(ends.start), logs=statement)
        loss = _loss(found, tp, ends)
        if loss is not None:
            checkpoint = await account(lanes, loss, checkpoint)
        committed = found.committed[tp]
        if (
            committed is None
            or committed.offset != checkpoint.offset
            or (committed.metadata or "") != metadata(checkpoint)
        ):
            stale[tp] = checkpoint
        places[tp] = Place(checkpoint, resume_offset(reread(checkpoint.offset), ends))
    return places, stale


def _loss(found: Found, tp: TopicPartition, ends: Ends) -> Loss | None:
    """Return what was lost before the place that is known, if any, or before the log's start."""
    held = found.held[tp]
    if found.logs.made_anew(tp):
        expected = held.offset if held is not None else None
        return Loss(tp, "recreated", expected, ends.start, None, found.logs.now[tp.topic].topic_id)
    if held is None:
        return None
    loss = first_loss(tp, held.offset, ends)
    if loss is None and not held.ours and held.offset > ends.start:
        return Loss(tp, "reset", None, held.offset, None)
    return loss
