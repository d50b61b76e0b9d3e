"""Database calls that must succeed before anything goes on: tried again until they do, or until cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from connectors.store.error import StoreAwayError
from daemon.roles.respond.looping import FIRST_PAUSE_S, LONGEST_PAUSE_S
from daemon.runtime import Health

_T = TypeVar("_T")


async def patiently(call: Callable[[], _T], health: Health) -> _T:
    """Return what `call` returns, in a thread; while it raises StoreAwayError, say so and wait."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            result = await asyncio.to_thread(call)
        except StoreAwayError as error:
            health.report("database", False, str(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        else:
            health.report("database", True)
            return result
