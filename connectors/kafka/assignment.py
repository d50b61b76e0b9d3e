"""Where reading resumes after an assignment, and what was lost before it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka.structs import TopicPartition

from connectors.kafka.batch import Loss


class Ends(NamedTuple):
    """The log of a partition: its first offset, and the offset that the next record will get."""

    start: int
    end: int


def first_loss(tp: TopicPartition, offset: int, ends: Ends) -> Loss | None:
    """Return the loss if `offset` lies outside [start, end], else None.

    Before the start: retention took what was not read yet, a known number of records. After the
    end: the topic was made anew; how much was lost with the old one nobody can know.
    """
    if offset < ends.start:
        return Loss(tp, "retention", offset, ends.start, ends.start - offset)
    if offset > ends.end:
        return Loss(tp, "recreated", offset, ends.start, None)
    return None


def resume_offset(wanted: int, ends: Ends) -> int:
    """Return `wanted` moved to the log's start if the log begins after it."""
    return max(wanted, ends.start)


def loss_in_gap(tp: TopicPartition, committed: int, position: int, first: int, start: int) -> Loss | None:
    """Return the loss when records begin at `first` although `position` was asked for, else None.

    Holes that compaction and transactions leave are no loss: a log that begins after our place is,
    and so is one that begins anew (`first` below `position`; it is read from `first`).
    """
    if first < position:
        return Loss(tp, "recreated", committed, first, None)
    if start > max(position, committed):
        return Loss(tp, "retention", committed, start, start - committed)
    return None
