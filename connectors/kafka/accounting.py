"""Losses: reported by the role whose records they were, then counted in the partition's checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connectors.kafka.batch import Lane, Loss
from connectors.kafka.checkpoint import Checkpoint
from connectors.kafka.conservation import LOST, add


async def account(lanes: Sequence[Lane], loss: Loss, checkpoint: Checkpoint) -> Checkpoint:
    """Let the role report the loss, then return the checkpoint that counts it and goes on after it."""
    lane = next(lane for lane in lanes if loss.tp.topic in lane.topics)
    await lane.handler.lost(loss)
    structlog.get_logger("davylamp.kafka.consumer").error(
        "lost before read",
        topic=loss.tp.topic,
        partition=loss.tp.partition,
        kind=loss.kind,
        expected=loss.expected,
        resumed=loss.resumed,
        records=loss.records,
    )
    counters = dict(checkpoint.counters)
    add(counters, {LOST: loss.count})
    return Checkpoint(loss.resumed, counters, checkpoint.logs)
