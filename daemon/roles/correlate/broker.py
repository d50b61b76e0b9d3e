"""Whether the broker answers: what readiness says about Kafka."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import faust
import structlog
from aiokafka.errors import KafkaError

from config.settings import Settings
from connectors.kafka.error import TopicRefusedError, told
from connectors.kafka.refusals import refusals
from connectors.kafka.topics import FLOWS, MATCHES, create_topics
from daemon.roles.correlate.application import APP_ID
from daemon.runtime import Health

NAME: Final = "kafka"
_ANSWER_S: Final = 3.0
_PAUSE_S: Final = 0.5


async def topics_made(settings: Settings, health: Health, stop: asyncio.Event) -> bool:
    """Make the missing topics, waiting for the broker and for our rights; return False when told to stop.

    A principal that may not make topics goes on: `davylamp topics create` has made them. One that may not
    read is told so here: Faust would say nothing and read what is left.
    """
    while not stop.is_set():
        try:
            await _made(settings)
            lacking = await refusals(settings.kafka, (MATCHES, FLOWS), APP_ID)
        except (KafkaError, OSError, TimeoutError) as error:
            lacking = told(error)
        health.report(NAME, not lacking, lacking)
        if not lacking:
            return True
        await pause(stop, _PAUSE_S)
    return False


async def _made(settings: Settings) -> None:
    try:
        await create_topics(settings)
    except TopicRefusedError as error:
        structlog.get_logger("davylamp.kafka").info("topics not made", error=str(error))


async def answers(app: faust.App) -> bool:
    """Return whether a broker answers a metadata request within 3 seconds."""
    client = cast(Any, app.producer)._ensure_producer().client
    try:
        async with asyncio.timeout(_ANSWER_S):
            return bool(await client.force_metadata_update())
    except (KafkaError, OSError, TimeoutError) as error:
        structlog.get_logger("davylamp.correlate").debug("broker does not answer", error=type(error).__name__)
        return False


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or less when told to stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
