"""`davylamp normalise FILE... --source KIND`: the ECS documents that would be sent."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import FileUnreadableError, read_events
from daemon.cli.main import NOT_DONE
from detectors.event import Event


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="What the files hold.")
@click.pass_context
def normalise(ctx: click.Context, files: tuple[Path, ...], kind: str) -> None:
    """Print one ECS document a line; one summary line on stderr when something was unreadable."""
    source = profile(kind)
    out = click.get_binary_stream("stdout")
    unreadable = 0
    for path in files:
        try:
            for item in read_events(path, source):
                if isinstance(item, Event):
                    out.write(orjson.dumps(source.ecs(item)) + b"\n")
                else:
                    unreadable += 1
        except FileUnreadableError as error:
            click.echo(str(error), err=True)
            ctx.exit(NOT_DONE)
    if unreadable:
        click.echo(f"{unreadable} unreadable", err=True)
