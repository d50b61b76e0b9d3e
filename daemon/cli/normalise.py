"""`davylamp normalise FILE... --source KIND`: the ECS documents that would be sent."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from connectors.ecs.normalise import documents
from connectors.sources.catalogue import KINDS
from connectors.sources.files import FileUnreadableError
from connectors.sources.reject import Reject
from daemon.cli.database import config_option, settings_of
from daemon.cli.main import NOT_DONE


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="What the files hold.")
@config_option
@click.pass_context
def normalise(ctx: click.Context, files: tuple[Path, ...], kind: str, path: Path | None) -> None:
    """Print one ECS document a line; one summary line on stderr when something was unreadable.

    Of the configuration only `istio` counts: the formats of the mesh's access logs.
    """
    istio = settings_of(path).istio if path else None
    out = click.get_binary_stream("stdout")
    rejects: list[Reject] = []
    for file in files:
        try:
            for document in documents(file, kind, rejects, istio):
                out.write(orjson.dumps(document) + b"\n")
        except FileUnreadableError as error:
            click.echo(str(error), err=True)
            ctx.exit(NOT_DONE)
    if rejects:
        click.echo(f"{len(rejects)} unreadable", err=True)
