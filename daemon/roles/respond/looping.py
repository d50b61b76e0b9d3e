"""Work done again and again until the role stops; a database that is away is said and waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from connectors.store.error import StoreAwayError
from daemon.runtime import Health

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 5.0


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@dataclass(slots=True)
class Loop:
    """Runs `work` until `stop`; `work` returns the seconds to wait before the next time."""

    name: str
    stop: asyncio.Event
    health: Health

    async def run(self, work: Callable[[], Awaitable[float]]) -> None:
        """Go on for ever. A StoreAwayError is reported and waited out; anything else ends the role."""
        failures = 0
        while not self.stop.is_set():
            try:
                wait_s = await work()
            except StoreAwayError as error:
                self.health.report("database", False, str(error))
                wait_s = min(FIRST_PAUSE_S * 2**failures, LONGEST_PAUSE_S)
                if failures == 0:
                    structlog.get_logger("davylamp.respond").warning("waiting", work=self.name)
                failures += 1
            else:
                self.health.report("database", True)
                failures = 0
            await pause(self.stop, wait_s)
