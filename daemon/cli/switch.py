"""`davylamp switch engage|release|list`: the kill switch, for everything or for one verb."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click

from connectors.store import reading, switches
from daemon.cli.database import config_option, json_option, opened, print_json, settings_of
from daemon.cli.listing import print_table
from detectors.finding import rfc3339

_NAME = click.argument("name", default="all")


@click.group()
def switch() -> None:
    """Kill switches: an engaged one lets nothing start, and stops what runs at its next safe point."""


@switch.command()
@_NAME
@config_option
def engage(name: str, path: Path | None) -> None:
    """Engage NAME: `all` (the default) or `verb:rotate.credential`."""
    _set(name, path, on=True)


@switch.command()
@_NAME
@config_option
def release(name: str, path: Path | None) -> None:
    """Release NAME."""
    _set(name, path, on=False)


def _set(name: str, path: Path | None, *, on: bool) -> None:
    act = switches.engage if on else switches.release
    with opened(settings_of(path), "respond") as database, database.transaction() as connection:
        try:
            act(connection, name, getpass.getuser(), time.time())
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    click.echo(f"{name}: {'engaged' if on else 'released'}")


@switch.command("list")
@config_option
@json_option
def list_(path: Path | None, as_json: bool) -> None:
    """List the engaged switches."""
    with opened(settings_of(path)) as database, database.reading() as connection:
        rows = [(name, by, rfc3339(at)) for name, by, at in reading.switches(connection)]
    if as_json:
        print_json([{"name": name, "by": by, "at": at} for name, by, at in rows])
    else:
        print_table(("switch", "by", "at"), rows)
