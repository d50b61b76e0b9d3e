"""Davylamp's topics at the start of a role: made when missing, waited for while the brokers are away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from config.settings import Settings
from connectors.kafka.error import TopicRefusedError, told
from connectors.kafka.producer import Report
from connectors.kafka.topics import create_topics

_PAUSE_S: Final = 0.5


async def topics_made(settings: Settings, stop: asyncio.Event, report: Report) -> bool:
    """Make the missing topics, waiting for the brokers; return False when told to stop.

    A principal that may not make topics goes on: `davylamp topics create` has made them.
    """
    while not stop.is_set():
        try:
            await create_topics(settings)
        except TopicRefusedError as error:
            structlog.get_logger("davylamp.kafka").info("topics not made", error=str(error))
            break
        except (KafkaError, OSError) as error:
            report(False, told(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _PAUSE_S)
        else:
            break
    if stop.is_set():
        return False
    report(True, "")
    return True
