"""`davylamp switch engage|release|list`: the kill switch, for everything or for one verb."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click

from connectors.store import exposure, reading, switches
from daemon.cli.database import config_option, json_option, opened, print_json, settings_of
from daemon.cli.listing import print_table
from detectors.finding import rfc3339
from playbooks.policy import Safety

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


@switch.command()
@click.argument("verb")
@config_option
def close(verb: str, path: Path | None) -> None:
    """Close the breaker of VERB: trust it again after its failures."""
    with opened(settings_of(path), "respond") as database, database.transaction() as connection:
        try:
            switches.close_breaker(connection, verb, getpass.getuser(), time.time())
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    click.echo(f"{verb}: breaker closed")


@switch.command("list")
@config_option
@json_option
def list_(path: Path | None, as_json: bool) -> None:
    """List the engaged switches and the open breakers."""
    settings = settings_of(path)
    safety = Safety(**settings.response.safety.model_dump(exclude={"targets_per_incident"}))
    with opened(settings) as database, database.reading() as connection:
        broken = exposure.open_breakers(connection, safety, time.time())
        rows = [(name, by, rfc3339(at)) for name, by, at in reading.switches(connection)]
    if as_json:
        shown = [{"name": name, "by": by, "at": at} for name, by, at in rows]
        opened_by = [{"name": f"breaker:{verb}", "failures": number} for verb, number in broken.items()]
        print_json([*shown, *opened_by])
    else:
        rows += [(f"breaker:{verb}", f"{number} failures", "") for verb, number in broken.items()]
        print_table(("switch", "by", "at"), rows)
