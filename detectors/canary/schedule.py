"""When a canary is due, and in which partition: the same for every worker, without anybody asking."""

from __future__ import annotations

import math


def due_at(now: float, period_s: int) -> int:
    """Return the newest slot at `now`; both in seconds since the epoch (UTC)."""
    return math.floor(now / period_s) * period_s


def partition_of(due: int, period_s: int, partitions: int) -> int:
    """Return the partition of a slot: each in its turn, so that all are tried."""
    return (due // period_s) % partitions
