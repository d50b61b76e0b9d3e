"""Workers whose wall clock is ten minutes wrong: time should come from events and from the broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from faults.catalogue import CLOCKS
from faults.chain import Chain
from faults.row import Row

SIZE = 200


@pytest.mark.claim("a worker's wall clock that jumps ten minutes ahead or back changes nothing")
def test_the_chain_when_the_workers_clock_jumps(
    chain: Callable[..., Chain], reckon: Callable[[Sequence[Row]], None]
) -> None:
    scene = chain(1, clocked=True)
    for fault in CLOCKS:
        scene.play(fault, SIZE)
    reckon(scene.rows())
