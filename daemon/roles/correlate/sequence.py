"""Whether records arrive without a gap.

Faust may drop fetched records when tables finish recovering (it clears the agents' queues), and would later
commit past them. Internal topics are neither compacted nor transactional: a missing offset is a lost record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Gap(NamedTuple):
    """Offsets from `expected` up to but not including `found` did not arrive.

    `first`: nothing has arrived yet in this generation, so what was committed before it is no gap.
    """

    partition: int
    expected: int
    found: int
    first: bool


class Sequence:
    """The next offset of each partition within one generation of the consumer group."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._generation: int | None = None

    def follow(self, generation: int, records: Iterable[tuple[int, int]]) -> list[Gap]:
        """Take (partition, offset) pairs as they arrive; return the gaps. Offsets read again are no gap."""
        self._begin(generation)
        gaps: list[Gap] = []
        for partition, offset in records:
            expected = self._next.get(partition)
            if offset > (expected or 0):
                gaps.append(Gap(partition, expected or 0, offset, expected is None))
            self._next[partition] = offset + 1
        return gaps

    def new(self, generation: int, records: Iterable[tuple[int, int]]) -> list[bool]:
        """Return for each (partition, offset) whether it is the first time in this generation."""
        self._begin(generation)
        ahead = dict(self._next)
        found: list[bool] = []
        for partition, offset in records:
            found.append(offset >= ahead.get(partition, 0))
            if found[-1]:
                ahead[partition] = offset + 1
        return found

    def _begin(self, generation: int) -> None:
        if generation != self._generation:
            self._generation = generation
            self._next.clear()
