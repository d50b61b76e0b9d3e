"""Whether the broker answers: what readiness says about Kafka."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import faust
import structlog
from aiokafka.errors import KafkaError

from config.settings import Settings
from connectors.kafka.error import TopicRefusedError
from connectors.kafka.topics import create_topics
from daemon.runtime import Health

NAME: Final = "kafka"
_ANSWER_S: Final = 3.0
_PAUSE_S: Final = 0.5


async def topics_made(settings: Settings, health: Health, stop: asyncio.Event) -> bool:
    """Make the missing topics, waiting for the broker; return False when told to stop.

    A principal that may not make topics goes on: `davylamp topics create` has made them.
    """
    while not stop.is_set():
        try:
            await create_topics(settings)
        except TopicRefusedError as error:
            structlog.get_logger("davylamp.kafka").info("topics not made", error=str(error))
            return True
        except (KafkaError, OSError, TimeoutError) as error:
            health.report(NAME, False, type(error).__name__)
            await pause(stop, _PAUSE_S)
        else:
            health.report(NAME, True)
            return True
    return False


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
