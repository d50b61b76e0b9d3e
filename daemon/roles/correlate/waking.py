"""When a group wants to advance although nothing new has come: its episode closes, or it can be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import orjson

from daemon.roles.correlate.evaluation import States
from detectors.event import Fields
from detectors.sigma import correlation as correlating

if TYPE_CHECKING:
    from daemon.roles.correlate.matches import Correlation


class Waking:
    """Event times beyond which groups wake, by partition; read from the states on first use."""

    def __init__(self, correlations: Mapping[str, Correlation], keep_idle_s: float) -> None:
        self._correlations = correlations
        self._keep_idle_s = keep_idle_s
        self._at: dict[int, dict[str, float]] = {}

    def clear(self) -> None:
        """Forget every partition."""
        self._at.clear()

    def note(self, partition: int, key: str, state: Fields | None, states: States) -> None:
        """Take in the state that a key is about to have; None when it is gone."""
        times = self._times(partition, states)
        at = None if state is None else self._wakes(state)
        if at is None:
            times.pop(key, None)
        else:
            times[key] = at

    def due(self, partition: int, states: States, watermark: Callable[[Correlation], float]) -> list[str]:
        """Return the keys of a partition whose time the watermark of their correlation has passed, sorted."""
        times = self._times(partition, states)
        reached = {name: watermark(correlation) for name, correlation in self._correlations.items()}
        return sorted(key for key, at in times.items() if at < reached[key.partition("|")[0]])

    def _times(self, partition: int, states: States) -> dict[str, float]:
        if partition not in self._at:
            self._at[partition] = self._read(partition, states)
        return self._at[partition]

    def _read(self, partition: int, states: States) -> dict[str, float]:
        times: dict[str, float] = {}
        for key in states.keys_of(partition):
            value = states.read(key, partition)
            if value is None or key.partition("|")[0] not in self._correlations:
                continue
            at = self._wakes(orjson.loads(value))
            if at is not None:
                times[key] = at
        return times

    def _wakes(self, state: Fields) -> float | None:
        due = correlating.due(state)
        if due is not None:
            return due
        floor = cast("list[float] | None", state.get("floor"))
        return None if floor is None else floor[0] + self._keep_idle_s
