"""When a group wants to advance although nothing new has come: its episode closes, or it can be forgotten."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import orjson

from daemon.roles.correlate.evaluation import States
from detectors.event import Fields
from detectors.sigma.window import Window

if TYPE_CHECKING:
    from daemon.roles.correlate.matches import Correlation

KEEP_IDLE_S: Final = 7 * 86400.0
WIDTH_S: Final = 16.0


class Wake(NamedTuple):
    """The event time (seconds) beyond which a group wants to advance; `idle` when it holds nothing."""

    at: float
    idle: bool


def wakes(window: Window, keep_idle_s: float = KEEP_IDLE_S) -> Wake | None:
    """Return when a group wants to advance, None for never."""
    if window.due is not None:
        return Wake(window.due, idle=False)
    return None if window.floor is None else Wake(window.floor[0] + keep_idle_s, idle=True)


def told(state: Fields) -> Wake | None:
    """Return the same of a window's JSON state, which need not be a window for it."""
    due, floor = cast("float | None", state.get("due")), cast("list[float] | None", state.get("floor"))
    if due is not None:
        return Wake(due, idle=False)
    return None if floor is None else Wake(floor[0] + KEEP_IDLE_S, idle=True)


class Waking:
    """Event times beyond which groups wake, by partition; read from the states on first use.

    They are looked for in buckets of time, so that a heartbeat costs what is due and not what is there.
    """

    def __init__(self, correlations: Mapping[str, Correlation]) -> None:
        self._correlations = correlations
        self._at: dict[int, dict[str, float]] = {}
        self._idle: dict[int, set[str]] = defaultdict(set)
        self._buckets: dict[tuple[int, str], dict[int, set[str]]] = defaultdict(dict)
        self._gone: dict[tuple[int, str], dict[int, set[str]]] = {}

    def serve(self, correlations: Mapping[str, Correlation]) -> None:
        """Wake groups of these correlations from now on; those of others are gone unless they come back."""
        self._correlations = correlations
        for owner in [owner for owner in self._buckets if owner[1] not in correlations]:
            self._gone[owner] = self._buckets.pop(owner)
        for owner in [owner for owner in self._gone if owner[1] in correlations]:
            self._buckets[owner] = self._gone.pop(owner)

    def take_gone(self, partition: int, most: int) -> list[str]:
        """Forget at most so many groups of a partition whose correlations are gone; return their keys."""
        times, taken = self._at.get(partition, {}), list[str]()
        for owner in [owner for owner in self._gone if owner[0] == partition]:
            buckets = self._gone[owner]
            while buckets and len(taken) < most:
                number = next(iter(buckets))
                keys = buckets[number]
                while keys and len(taken) < most:
                    key = keys.pop()
                    if times.pop(key, None) is not None:
                        self._idle[partition].discard(key)
                        taken.append(key)
                if not keys:
                    del buckets[number]
            if not buckets:
                del self._gone[owner]
        return sorted(taken)

    def clear(self) -> None:
        """Forget every partition."""
        self._at.clear()
        self._idle.clear()
        self._buckets.clear()
        self._gone.clear()

    def note(self, partition: int, key: str, wake: Wake | None, states: States) -> None:
        """Take in when a group wakes; None when it is gone."""
        self._set(partition, self._times(partition, states), key, wake)

    def count(self, partition: int) -> int:
        """Return how many groups of a partition wake some time."""
        return len(self._at.get(partition, ()))

    def oldest(self, partition: int, count: int) -> list[str]:
        """Return so many keys of a partition: those that hold nothing first, then those that wake first."""
        times, idle = self._at.get(partition, {}), self._idle[partition]
        return nsmallest(count, times, key=lambda key: (key not in idle, times[key]))

    def due(self, partition: int, states: States, watermark: Callable[[Correlation], float]) -> list[str]:
        """Return the keys of a partition whose time the watermark of their correlation has passed, sorted."""
        times = self._times(partition, states)
        found: list[str] = []
        for name, correlation in self._correlations.items():
            reached = watermark(correlation)
            buckets = self._buckets[partition, name]
            for number in [number for number in buckets if number * WIDTH_S < reached]:
                keys = buckets[number]
                gone = {key for key in keys if times.get(key, math.nan) // WIDTH_S != number}
                keys -= gone
                found += [key for key in keys if times[key] < reached]
                if not keys:
                    del buckets[number]
        return sorted(found)

    def _set(self, partition: int, times: dict[str, float], key: str, wake: Wake | None) -> None:
        if wake is None:
            times.pop(key, None)
            self._idle[partition].discard(key)
            return
        at = wake.at
        if wake.idle:
            self._idle[partition].add(key)
        else:
            self._idle[partition].discard(key)
        known = times.get(key)
        if known == at:
            return
        times[key] = at
        number = int(at // WIDTH_S)
        if known is None or known // WIDTH_S != number:
            self._buckets[partition, key.partition("|")[0]].setdefault(number, set()).add(key)

    def _times(self, partition: int, states: States) -> dict[str, float]:
        if partition not in self._at:
            times = self._at[partition] = {}
            self._read(partition, times, states)
        return self._at[partition]

    def _read(self, partition: int, times: dict[str, float], states: States) -> None:
        for key in states.keys_of(partition):
            value = states.read(key, partition)
            if value is not None and key.partition("|")[0] in self._correlations:
                self._set(partition, times, key, told(orjson.loads(value)))
