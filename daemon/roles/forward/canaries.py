"""Canaries at the end of their way: when each SIEM target had one, and when it could be found there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from config.canary import Canary
from connectors.ecs.stream import Document
from connectors.siem.target import SearchableTarget, SiemTarget, TargetError
from daemon.roles.forward.canary_metrics import ArrivalMetrics
from detectors.canary.sight import Sight

_LOOK_EVERY_S: Final = 1.0
_LOOK_FOR_S: Final = 60.0


@dataclass(slots=True)
class Arrival:
    """The newest canary of a source at a target; times and delays in seconds.

    `searchable_s` is of the last one that a search found, which may be older; -1: none yet.
    """

    due: float
    acknowledged_s: float
    searchable_s: float = -1.0


@dataclass(slots=True)
class Arrivals:
    """What targets have acknowledged. `sources` are the kinds that are read; `clock` is wall time (UTC).

    A target is late with a source when its newest canary is older than two periods and the grace; at the
    start it has as long. That is judged by the wall clock: it is about now.
    """

    canary: Canary
    sources: Collection[str]
    targets: Collection[str]
    clock: Callable[[], float]
    metrics: ArrivalMetrics
    newest: dict[tuple[str, str], Arrival] = field(default_factory=dict[tuple[str, str], Arrival])
    _started: float = field(init=False)
    _looks: dict[tuple[str, str], asyncio.Task[None]] = field(
        default_factory=dict[tuple[str, str], asyncio.Task[None]]
    )

    def __post_init__(self) -> None:
        """Note when it began."""
        self._started = self.clock()

    def acknowledged(self, target: SiemTarget, sight: Sight, document: Document, *, fresh: bool) -> None:
        """Take in that `target` confirmed the document; `fresh`: it did not have it before."""
        if sight.source not in self.sources:
            return
        key = (target.name, sight.source)
        known = self.newest.get(key)
        if known is None or sight.due > known.due:
            delay = max(0.0, self.clock() - sight.appended)
            self.newest[key] = Arrival(sight.due, delay, known.searchable_s if known else -1.0)
            self.metrics.reached(*key, sight.due)
            if fresh:
                self.metrics.acknowledged(*key, delay)
                self._look_for(target, sight, document)

    def late(self) -> list[tuple[str, str]]:
        """Return the (target, source) pairs that are late, sorted; none while canaries are off."""
        period = self.canary.period_s
        if not period:
            return []
        limit = self.clock() - 2 * period - self.canary.grace_s
        return sorted(
            (target, source)
            for target in self.targets
            for source in self.sources
            if (self.newest[target, source].due if (target, source) in self.newest else self._started) < limit
        )

    def status(self) -> dict[str, object]:
        """Return the part of `davylamp status`, by `TARGET SOURCE`."""
        late = self.late()
        return {
            "every_s": self.canary.period_s,
            "late": [f"{target} {source}" for target, source in late],
            "newest": {
                f"{target} {source}": {
                    "due": arrival.due,
                    "acknowledged_s": round(arrival.acknowledged_s, 3),
                    "searchable_s": round(arrival.searchable_s, 3) if arrival.searchable_s >= 0 else None,
                }
                for (target, source), arrival in sorted(self.newest.items())
            },
        }

    async def close(self) -> None:
        """Let go of searches that are under way."""
        looks = list(self._looks.values())
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    def _look_for(self, target: SiemTarget, sight: Sight, document: Document) -> None:
        """Search for the document where the target can be searched, one a target and source at a time."""
        key = (target.name, sight.source)
        if not isinstance(target, SearchableTarget) or key in self._looks:
            return
        task = asyncio.create_task(self._look(target, sight, document))
        self._looks[key] = task
        task.add_done_callback(lambda _: self._looks.pop(key, None))

    async def _look(self, target: SearchableTarget, sight: Sight, document: Document) -> None:
        end = self.clock() + _LOOK_FOR_S
        key = (target.name, sight.source)
        try:
            while self.clock() < end:
                if await target.found(document):
                    delay = max(0.0, self.clock() - sight.appended)
                    self.metrics.searchable(*key, delay)
                    self.newest[key].searchable_s = delay
                    return
                await asyncio.sleep(_LOOK_EVERY_S)
            why = f"not found in {_LOOK_FOR_S:g} s"
        except TargetError as error:
            why = str(error)
        self.metrics.unsearched(*key)
        structlog.get_logger("davylamp.forward").info(
            "canary not searched", target=key[0], source=key[1], why=why
        )
