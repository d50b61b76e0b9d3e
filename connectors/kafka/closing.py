"""Closing a consumer whose broker may be away."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import structlog
from aiokafka import AIOKafkaConsumer


async def close_consumer(consumer: AIOKafkaConsumer, timeout_s: float) -> None:
    """Leave the group and close the connections within about `timeout_s`. Raises nothing of Kafka's.

    aiokafka 0.14 cancels its fetch tasks and then awaits them, so that `stop` itself ends as
    cancelled in the middle of a failing fetch, with its connections open: those are closed here.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping], timeout=timeout_s)
    clean = stopping.done() and not stopping.cancelled() and stopping.exception() is None
    if clean:
        return
    structlog.get_logger("davylamp.kafka.consumer").info("closed unclean")
    stopping.cancel()
    await asyncio.wait([stopping])
    client = cast(Any, consumer)._client
    await asyncio.wait([asyncio.ensure_future(client.close())], timeout=timeout_s)
