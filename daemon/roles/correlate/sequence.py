"""Whether records arrive without a gap. Faust may drop fetched records when tables finish recovering, and would later
commit past them; internal topics are neither compacted nor transactional, so a missing offset is a lost record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Gap(NamedTuple):
    """Offsets from `expected` up to but not including `found` did not arrive."""

    partition: int
    expected: int
    found: int


class Sequence:
    """The next offset of each partition within one generation of the consumer group.

    `start` returns a partition's committed offset, or None when nothing was committed: then it starts at 0.
    """

    def __init__(self, start: Callable[[int], int | None]) -> None:
        self._start = start
        self._next: dict[int, int] = {}
        self._generation: int | None = None

    def follow(self, generation: int, records: Iterable[tuple[int, int]]) -> list[Gap]:
        """Take (partition, offset) pairs in order of arrival; return the gaps. Offsets read again are no gap."""
        if generation != self._generation:
            self._generation = generation
            self._next.clear()
        gaps: list[Gap] = []
        for partition, offset in records:
            expected = self._next.get(partition)
            if expected is None:
                expected = self._start(partition) or 0
            if offset > expected:
                gaps.append(Gap(partition, expected, offset))
            self._next[partition] = offset + 1
        return gaps
