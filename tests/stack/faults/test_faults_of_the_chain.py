"""detect, correlate and forward on real Kafka under faults: nothing lost, nothing twice, the laws hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from faults.catalogue import LONG, SHORT
from faults.chain import Chain
from faults.row import Row

Reckon = Callable[[Sequence[Row]], None]
SIZE = 600


@pytest.mark.claim(
    "after kill -9 and SIGSTOP of workers, kill -9 of the broker, a poison batch, a 20 MB message and deleted"
    " offsets the whole chain has lost nothing and has nothing twice (one and two workers, eight at night)"
)
def test_the_chain_is_exact_under_faults(
    chain: Callable[..., Chain], reckon: Reckon, workers: int, nightly: bool
) -> None:
    scene = chain(workers)
    for fault in LONG if nightly else SHORT[workers]:
        scene.play(fault, SIZE)
    reckon(scene.rows())
