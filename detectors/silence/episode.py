"""An episode: something about a source that is said once, when it begins."""

from __future__ import annotations

from typing import NamedTuple


class Episode(NamedTuple):
    """An open episode; `start` is the first hour of append time that belongs to it."""

    start: int

    def lasted(self, hour: int) -> int:
        """Return how many hours it has lasted at the end of `hour`."""
        return hour - self.start + 1
