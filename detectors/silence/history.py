"""The last eight weeks of a source, hour by hour: what the same hours carried before.

Nothing is averaged: a floor is read off the hours themselves, so one burst moves nothing, and what is older
than eight weeks is forgotten. Hours of an episode are kept apart and teach nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from detectors.event import Fields
from detectors.silence.clock import DAY, SLOTS, WEEK, weekend

WEEKS: Final = 8
KEPT: Final = WEEKS * WEEK
_NEIGHBOURS: Final = (-1, 0, 1)
"""Daylight saving and jobs that start a little earlier or later move by less than an hour."""
_WEEKS_ENOUGH: Final = 4
_FEWEST: Final = 3
UNKNOWN: Final = -1
_LEAST_OF_SIX: Final = 1.27
_MEDIAN_OF_ONE: Final = 0.455


@dataclass(slots=True)
class History:
    """Events of each hour from hour `first` on, and of the least ten minutes in each.

    A number below -1 is an hour apart: ``-2 - events``; -1 is an hour that nobody knows.
    """

    first: int
    events: list[int]
    least: list[int]

    @property
    def end(self) -> int:
        """The hour after the last one."""
        return self.first + len(self.events)

    def append(self, events: int, least: int) -> None:
        """Add the next hour, forgetting the oldest."""
        self.events.append(events)
        self.least.append(least)
        surplus = len(self.events) - KEPT - DAY
        if surplus > 0:
            self.first += surplus
            del self.events[:surplus], self.least[:surplus]

    def set_apart(self, start: int, end: int) -> None:
        """Let the hours from `start` up to `end` teach nothing."""
        for index in range(max(start - self.first, 0), min(end - self.first, len(self.events))):
            if self.events[index] >= 0:
                self.events[index] = -2 - self.events[index]

    def take_back(self, start: int, end: int) -> None:
        """Let hours that were set apart teach again, unless nothing came in them."""
        for index in range(max(start - self.first, 0), min(end - self.first, len(self.events))):
            if self.events[index] < -2:
                self.events[index] = -2 - self.events[index]

    def window(self, end: int, hours: int) -> int:
        """Return the events of so many hours that end with hour `end`, those set apart too; -1 if unknown."""
        begin = end - hours + 1 - self.first
        part = self.events[begin : begin + hours] if begin >= 0 else []
        if len(part) < hours or UNKNOWN in part:
            return UNKNOWN
        return sum(map(_plain, part))

    def usual(self, end: int, hours: int) -> list[int]:
        """Return what windows at the same time of earlier weeks carried, sorted.

        While fewer than four weeks are known, the same hour of the last days of the same kind (weekday or
        weekend) counts as well.
        """
        return sorted(self._same(self.events, end, hours))

    def usual_least(self, hour: int) -> list[int]:
        """Return the least ten minutes of the same hours, sorted."""
        return sorted(self._same(self.least, hour, 1))

    def clump(self, hour: int) -> float:
        """Return how many events come together within the same hours.

        Of six numbers around m the least is expected 1.27 standard deviations below m, and the variance of
        clumps is their size times m. The median over the hours is taken.
        """
        sizes = sorted(
            ((events / SLOTS - least) / _LEAST_OF_SIX) ** 2 / (events / SLOTS)
            for events, least in zip(
                self._same(self.events, hour, 1), self._same(self.least, hour, 1), strict=True
            )
            if events
        )
        return max(1.0, sizes[len(sizes) // 2]) if sizes else 1.0

    def daily_clump(self, hour: int) -> float:
        """Return how many events come together, from hours and the same ones of the day before.

        Of the last week; (a-b)**2/(a+b) of two Poisson numbers is 1 in the mean, 0.455 in the median.
        """
        values, last = self.events, hour - self.first
        sizes: list[float] = []
        for index in range(max(DAY, last - WEEK), min(last, len(values))):
            now, before = values[index], values[index - DAY]
            if now > 0 <= before and weekend(self.first + index) == weekend(self.first + index - DAY):
                sizes.append((now - before) ** 2 / (now + before))
        sizes.sort()
        return max(1.0, sizes[len(sizes) // 2] / _MEDIAN_OF_ONE) if sizes else 1.0

    def to_json(self) -> Fields:
        """Return the history as JSON."""
        return {"first": self.first, "events": list(self.events), "least": list(self.least)}

    @classmethod
    def from_json(cls, document: Fields) -> History:
        """Read back what `to_json` gave."""
        events, least = cast("list[int]", document["events"]), cast("list[int]", document["least"])
        return cls(cast(int, document["first"]), list(events), list(least))

    def _same(self, values: Sequence[int], end: int, hours: int) -> list[int]:
        """Return sums of `values` over the windows that are compared with the one that ends with `end`.

        Nothing, unless two of them lie apart: the same burst must not stand in all. Where episodes at the
        same time of earlier weeks outnumber the weeks without, they are what is usual.
        """
        weeks = range(WEEK, min(KEPT, end - self.first + 1) + 1, WEEK)
        ends = [end - back + shift for back in weeks for shift in _NEIGHBOURS if shift - back <= -hours]
        begins = [at - hours + 1 - self.first for at in ends if at - hours + 1 >= self.first]
        known = [begin for begin in begins if self._is_known(begin, hours)]
        if len(known) * 2 < len(begins):
            known = [begin for begin in begins if UNKNOWN not in self.events[begin : begin + hours]]
        if end - self.first < _WEEKS_ENOUGH * WEEK:
            known += [b for b in self._days_before(end, hours) if self._is_known(b, hours)]
        if len(known) < _FEWEST or max(known) - min(known) < max(hours, DAY - 1):
            return []
        if hours == 1:
            return [_plain(values[begin]) for begin in known]
        return [sum(map(_plain, values[begin : begin + hours])) for begin in known]

    def _days_before(self, end: int, hours: int) -> list[int]:
        """Return where windows of the last days begin that lie on the same kind of days."""
        days = [end - DAY * day for day in range(1, 7)]
        fit = [day for day in days if day <= end - hours and _kinds(day, hours) == _kinds(end, hours)]
        return [day - hours + 1 - self.first for day in fit if day - hours + 1 >= self.first]

    def _is_known(self, begin: int, hours: int) -> bool:
        if hours == 1:
            return self.events[begin] >= 0
        return min(self.events[begin : begin + hours]) >= 0


def _plain(value: int) -> int:
    return value if value >= 0 else -2 - value


def spread_of(usual: Sequence[int]) -> float:
    """Return how many events come together: variance over mean, from the lower half of sorted numbers.

    Events of a file or a job come in clumps, and busy hours differ by more than chance: the clumps are what
    is independent, so they are counted. Bursts lie in the upper half and say nothing.
    """
    middle = usual[len(usual) // 2] if usual else 0
    if not middle:
        return 1.0
    lower = [middle - value for value in usual if value <= middle]
    return max(1.0, sum(gap * gap for gap in lower) / len(lower) / middle)


def _kinds(end: int, hours: int) -> tuple[bool, bool]:
    """Return whether a window begins and ends on a weekend."""
    return weekend(end - hours + 1), weekend(end)
