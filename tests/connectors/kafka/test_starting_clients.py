"""A client that is cancelled while it starts forgets no connection."""

from __future__ import annotations

import asyncio

import pytest

from connectors.kafka import starting


class Slow:
    """A client that needs a while; remembers how its start ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ended = ""

    async def start(self) -> None:
        try:
            await asyncio.sleep(self.seconds)
            self.ended = "started"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def cancelled(client: Slow) -> None:
    task = asyncio.create_task(starting.started(client))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)


async def test_a_start_under_way_ends_by_itself() -> None:
    client = Slow(0.1)
    await cancelled(client)
    assert client.ended == "started"


async def test_a_start_that_takes_long_is_cancelled() -> None:
    client = Slow(60.0)
    began = asyncio.get_running_loop().time()
    await cancelled(client)
    assert client.ended == "cancelled"
    assert asyncio.get_running_loop().time() - began < starting.PATIENCE_S + 5


async def test_a_failure_is_told() -> None:
    class Refused(Slow):
        async def start(self) -> None:
            raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await starting.started(Refused(0))
