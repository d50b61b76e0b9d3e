"""`davylamp topics create`: Davylamp's own topics, with the right shape."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
from aiokafka.errors import KafkaError

from config.loader import load
from connectors.kafka.error import TopicRefusedError
from connectors.kafka.topics import create_topics
from daemon.cli.main import NOT_DONE


@click.group()
def topics() -> None:
    """Kafka topics."""


@topics.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)
@click.option(
    "--raw", is_flag=True, help="Also the raw topics (a laptop; in production the platform owns them)."
)
@click.pass_context
def create(ctx: click.Context, path: Path | None, raw: bool) -> None:
    """Create the missing topics; existing ones are left as they are."""
    settings = load(path, environment=os.environ)
    try:
        made = asyncio.run(create_topics(settings, raw=raw))
    except (KafkaError, TopicRefusedError) as error:
        click.echo(f"{', '.join(settings.kafka.brokers)}: {error}", err=True)
        ctx.exit(NOT_DONE)
    for name in made:
        click.echo(f"created {name}")
    if not made:
        click.echo("every topic is there")
