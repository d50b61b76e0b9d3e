"""Envelopes of every source: the first byte says which source reads the rest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import reading
import seeds

from connectors.sources.catalogue import KINDS


def values() -> Iterator[bytes]:
    """Yield the seeds, each once for every source."""
    for value in chain(seeds.envelopes(None), seeds.hostile(None)):
        for number in range(len(KINDS)):
            yield bytes([number]) + value


def target(data: bytes) -> None:
    """Read what follows the first byte as a record."""
    if data:
        reading.check(data[1:], KINDS[data[0] % len(KINDS)])
