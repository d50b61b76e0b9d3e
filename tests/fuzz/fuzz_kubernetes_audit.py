"""Records of the source `kubernetes_audit`: its samples, its hostile cases and everything near them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import reading
import seeds

KIND = "kubernetes_audit"


def values() -> Iterator[bytes]:
    """Yield the seeds."""
    return chain(seeds.samples(KIND), seeds.envelopes(KIND), seeds.hostile(KIND))


def target(data: bytes) -> None:
    """Read `data` as a record of this source."""
    reading.check(data, KIND)
