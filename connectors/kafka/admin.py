"""An admin client for a few questions, with the real reason when the brokers do not let us in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

from config.kafka import Kafka
from connectors.kafka.client import admin_options
from connectors.kafka.probe import SHUT_OUT, why_no_entry
from connectors.kafka.starting import started


@asynccontextmanager
async def administering(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give a started admin client and close it. Raises NoEntryError, and aiokafka.errors.KafkaError."""
    admin = AIOKafkaAdminClient(**admin_options(kafka))
    try:
        await started(admin)
        yield admin
    except SHUT_OUT as error:
        raise await why_no_entry(kafka) or error from None
    finally:
        await admin.close()
