"""The least and the greatest of a number over the last one to two weeks: a range that forgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from detectors.event import Json
from detectors.silence.clock import WEEK


@dataclass(slots=True)
class Spread:
    """Two generations of a week each; `since` is the first hour that was taken in, -1 before it."""

    since: int = -1
    week: int = -1
    low: float = 0.0
    high: float = 0.0
    earlier_low: float = 0.0
    earlier_high: float = 0.0

    def take(self, hour: int, value: float) -> None:
        """Take in a value of an hour; hours come in their order."""
        week = hour // WEEK
        if week != self.week:
            self.earlier_low, self.earlier_high = (self.low, self.high) if self.since >= 0 else (value, value)
            self.week, self.low, self.high = week, value, value
        self.low, self.high = min(self.low, value), max(self.high, value)
        if self.since < 0:
            self.since = hour

    def is_learnt(self, hour: int, learning: int) -> bool:
        """Return whether values have been taken in for `learning` hours."""
        return 0 <= self.since <= hour - learning

    @property
    def least(self) -> float:
        """The least value of this week and the one before it that had any."""
        return min(self.low, self.earlier_low)

    @property
    def greatest(self) -> float:
        """The greatest value of this week and the one before it that had any."""
        return max(self.high, self.earlier_high)

    def to_json(self) -> list[Json]:
        """Return the six numbers."""
        return [self.since, self.week, self.low, self.high, self.earlier_low, self.earlier_high]

    @classmethod
    def from_json(cls, value: Json) -> Spread:
        """Read back what `to_json` gave."""
        since, week, low, high, earlier_low, earlier_high = cast("list[float]", value)
        return cls(int(since), int(week), low, high, earlier_low, earlier_high)
