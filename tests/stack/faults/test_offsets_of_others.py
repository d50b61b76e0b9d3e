"""Offsets of detect's group that somebody else has set, as an operator does with Kafka's own tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from faults.chain import Chain
from faults.row import Row
from faults.unread import Unread


@pytest.mark.claim("offsets that somebody else set behind unread records are told as a loss, then obeyed")
def test_offsets_set_behind_unread_records_are_told(
    chain: Callable[..., Chain], reckon: Callable[[Sequence[Row]], None]
) -> None:
    unread = Unread(chain(1), read=400)
    unread.scene.workers.stop("detect")
    unread.skip()
    unread.scene.workers.start()
    recovery_s = unread.read_on()
    reckon([unread.row("detect's offsets set behind unread records by another tool", recovery_s)])
