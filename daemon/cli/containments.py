"""`davylamp containments list|release`: what is cut off, until when, and ending it early."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click

from connectors.store import releasing
from connectors.store.error import UnknownRowError
from daemon.cli.database import (
    NOT_DONE,
    FailedError,
    checked_id,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line, print_table
from detectors.finding import rfc3339


@click.group()
def containments() -> None:
    """Containments: workloads that are cut off for a time."""


@containments.command("list")
@config_option
@json_option
def list_(path: Path | None, as_json: bool) -> None:
    """List what is cut off now, with the time of its release."""
    with opened(settings_of(path)) as database, database.reading() as connection:
        found = releasing.waiting(connection)
    if as_json:
        print_json({"containments": [one.to_json() for one in found]})
        return
    print_table(
        ("target", "released at", "containment", "release"),
        [(one.target_key, rfc3339(one.at), one.undoes, one.release_id) for one in found],
    )


@containments.command()
@click.argument("action_id")
@config_option
def release(action_id: str, path: Path | None) -> None:
    """End a containment now. ACTION_ID is the containment's or its release's."""
    checked_id(action_id)
    with opened(settings_of(path), "respond") as database:
        try:
            identifier = releasing.release_now(database, action_id, getpass.getuser(), time.time())
        except UnknownRowError as error:
            raise FailedError(str(error), NOT_DONE) from error
    print_line(f"asked for: {identifier}")
