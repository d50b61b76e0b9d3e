"""`davylamp config show|check`: what is set, with secrets masked; or everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import click
import orjson
import yaml

from config.consumers import read_consumers
from config.dump import masked
from config.loader import load
from connectors.rotation.catalogue import target_kinds

_FILE = click.option(
    "--config", "path", type=click.Path(path_type=Path, dir_okay=False), help="The configuration file."
)


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@_FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(path: Path | None, as_json: bool) -> None:
    """Print the settings in force; secrets are masked."""
    data = masked(load(path, environment=os.environ, target_kinds=target_kinds()))
    click.echo(
        orjson.dumps(data, option=orjson.OPT_INDENT_2) if as_json else yaml.safe_dump(data, sort_keys=False)
    )


@config.command()
@_FILE
def check(path: Path | None) -> None:
    """Say that the configuration is right, or every error with file, line, key and what is allowed."""
    settings = load(path, environment=os.environ, target_kinds=target_kinds())
    read_consumers(settings.response.consumers.inventory, [one.key for one in settings.response.targets])
    click.echo("the configuration is right")
