"""What the commands about dead letters share: options that choose them, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from config.kafka import Kafka
from config.secret import SecretUnreadableError
from connectors.kafka.error import NoEntryError
from connectors.kafka.probe import reason_of
from connectors.siem.target import TargetAwayError
from connectors.sources.reject import Reason
from daemon.cli.database import NOT_DONE, FailedError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
MOST: Final = 100_000


def filters(command: F) -> F:
    """Add the options that choose letters: `reason`, `source`, `target`."""
    names = click.Choice([reason.value for reason in Reason])
    command = click.option("--target", help="Only letters of this SIEM target.")(command)
    command = click.option("--source", help="Only letters of this source or stream.")(command)
    return click.option("--reason", type=names, help="Only letters of this reason.")(command)


def done(kafka: Kafka, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; brokers that are away or do not let us in become exit code 3 with their reason."""

    async def reasoned() -> T:
        try:
            return await work
        except (NoEntryError, SecretUnreadableError, TargetAwayError, TimeoutError) as error:
            raise FailedError(str(error), NOT_DONE) from error
        except (KafkaError, OSError) as error:
            raise FailedError(await reason_of(error, kafka), NOT_DONE) from error

    return asyncio.run(reasoned())
