"""Delivery to one target until every document is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from connectors.ecs.stream import Document
from connectors.siem.target import ItemOutcome, SiemTarget, TargetAwayError

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(slots=True)
class Delivery:
    """One target with its patience. `report(up, detail)` hears whether it takes documents.

    The lanes of a target share it: one batch at a time is with the target, waiting is outside that.
    `jitter` returns 0 to 1.
    """

    target: SiemTarget
    report: Callable[[bool, str], None]
    jitter: Callable[[], float]
    first_pause_s: float = _FIRST_PAUSE_S
    longest_pause_s: float = _LONGEST_PAUSE_S
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _opened: bool = False

    async def deliver(self, documents: Sequence[Document]) -> list[tuple[ItemOutcome, int]]:
        """Return how each document ended, in order, and after how many attempts. Gives none up: waits."""
        ended: dict[int, tuple[ItemOutcome, int]] = {}
        left = list(range(len(documents)))
        pause, attempt = self.first_pause_s, 0
        while left:
            attempt += 1
            outcomes, away = await self._try([documents[n] for n in left])
            for number, outcome in zip(left, outcomes, strict=True):
                if outcome.ending != "retry":
                    ended[number] = (outcome, attempt)
            before, left = len(left), [n for n in left if n not in ended]
            if not left:
                break
            why = next((outcome.reason for outcome in outcomes if outcome.ending == "retry"), "")
            self.report(False, away or f"takes {before - len(left)} of {before} documents: {why}")
            pause = self.first_pause_s if len(left) < before else min(pause * 2, self.longest_pause_s)
            await asyncio.sleep(pause * (0.5 + self.jitter() / 2))
        self.report(True, "")
        return [ended[n] for n in range(len(documents))]

    async def close(self, timeout_s: float) -> None:
        """Let go of the target within `timeout_s`."""
        await asyncio.wait([asyncio.ensure_future(self.target.close())], timeout=timeout_s)

    async def _try(self, documents: Sequence[Document]) -> tuple[Sequence[ItemOutcome], str]:
        try:
            async with self._turn:
                if not self._opened:
                    await self.target.open()
                    self._opened = True
                return await self.target.deliver(documents), ""
        except TargetAwayError as error:
            structlog.get_logger("davylamp.forward").warning("target away", error=str(error))
            return [ItemOutcome("retry")] * len(documents), str(error)
