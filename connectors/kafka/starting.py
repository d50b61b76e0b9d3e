"""Starting a Kafka client that may be cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

PATIENCE_S: Final = 1.0


class Client(Protocol):
    """A consumer, producer or admin client of aiokafka."""

    async def start(self) -> None:
        """Connect. Raises aiokafka.errors.KafkaError."""
        ...


async def started(client: Client) -> None:
    """Start `client`. When cancelled, first let the start end by itself, 1 s at most.

    aiokafka 0.14.0 forgets a connection whose making is cancelled: nobody closes it. Raises
    aiokafka.errors.KafkaError.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting}, timeout=PATIENCE_S)
        if not starting.cancel() and not starting.cancelled():
            starting.exception()  # it is nobody's any more
        raise
