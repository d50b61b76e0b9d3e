"""A floor and what lies below it: the quietest tenth of the same hours, and chance ruled out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from detectors.silence.history import UNKNOWN, History, spread_of

SILENT_SHARE: Final = 0.05
DROP_SHARE: Final = 0.5
BACK_SHARE: Final = 0.75
CHANCE: Final = 1e-6
SCALES: Final = (1, 6, 24)
"""Hours; a source is judged over the shortest of them that carries enough to be judged by."""
ENOUGH_FOR_SILENCE: Final = 14
"""Below so many independent events, none at all is no surprise: exp(-14) is about one in a million."""
ENOUGH_FOR_DROP: Final = 91
"""Below so many independent events, half of them is no surprise."""
Kind: TypeAlias = Literal["silent", "drop"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One window: events found, the floor, and the hours that it is long. `kind` is None when all is well."""

    kind: Kind | None
    events: int
    floor: int
    hours: int

    @property
    def is_back(self) -> bool:
        """Return whether an episode is over: clearly above the bound, so that it does not begin again."""
        return self.kind is None and self.events >= BACK_SHARE * self.floor


def floor_of(usual: Sequence[int]) -> int:
    """Return the greatest of the lowest tenth of sorted numbers, 0 without any."""
    return usual[len(usual) // 10] if usual else 0


def is_chance(events: float, expected: float) -> bool:
    """Return whether so few independent events may be chance where `expected` are usual.

    Chernoff's bound of the Poisson tail: P(X <= n) <= exp(-(m - n + n ln(n/m))) for n < m.
    """
    if events >= expected:
        return True
    log = events * math.log(events / expected) if events else 0.0
    return expected - events + log < -math.log(CHANCE)


def silent(history: History, hour: int) -> Judgement | None:
    """Return whether next to nothing came, over the shortest window that can say so; None if none can.

    Where each ten minutes of these hours always had events, hours that differ by more than chance are no
    reason to expect none at all: the clumps within the hours count. Elsewhere the spread between hours does.
    """
    within = history.clump(hour) if floor_of(history.usual_least(hour)) else 0.0
    return _judge(history, hour, "silent", SILENT_SHARE, ENOUGH_FOR_SILENCE, within)


def dropped(history: History, hour: int) -> Judgement | None:
    """Return whether less than half of the floor came; None if no window can say so."""
    return _judge(history, hour, "drop", DROP_SHARE, ENOUGH_FOR_DROP, 0.0)


def slot_silent(history: History, hour: int, events: int) -> int | None:
    """Return the floor of ten minutes of `hour` if they are silent, else None."""
    floor = floor_of(history.usual_least(hour))
    if not floor or events > SILENT_SHARE * floor:
        return None
    clump = history.clump(hour)
    return None if is_chance(events / clump, floor / clump) else floor


def _judge(
    history: History, hour: int, kind: Kind, share: float, enough: int, within: float
) -> Judgement | None:
    """Return the first window that is below, or else the first that carries enough to say that none is.

    A longer window is an hour longer than what it is compared with: a daily job may come an hour late.
    """
    between = 0.0
    for hours in SCALES:
        usual = history.usual(hour, hours)
        span = hours + 1 if hours > 1 else 1
        floor, events = floor_of(usual), history.window(hour, span)
        if floor < ENOUGH_FOR_SILENCE or events == UNKNOWN:
            continue
        between = between or (0.0 if within else history.daily_clump(hour))
        clump = within or max(spread_of(usual), between)
        if events <= share * floor and not is_chance(events / clump, floor / clump):
            return Judgement(kind, events, floor, span)
        if floor >= enough * clump:
            return Judgement(None, events, floor, span)
    return None
