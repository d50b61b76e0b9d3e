"""`davylamp inventory show`: the classes that rules refer to, and who is in them."""

from __future__ import annotations

from pathlib import Path

import click

from config.inventory import read_inventory
from daemon.cli.database import json_option, print_json
from daemon.cli.inventory_option import inventory_option
from daemon.cli.listing import print_table
from detectors.inventory.shipped import classes


@click.group()
def inventory() -> None:
    """Who is who: classes of identities and assets that rules refer to."""


@inventory.command()
@inventory_option
@json_option
def show(inventories: tuple[Path, ...], as_json: bool) -> None:
    """List every class and its members: the shipped ones, and those of --inventory files.

    A file with a problem is refused with file, line and the way out; exit 2.
    """
    added = read_inventory(inventories, classes())
    rows = [
        {"class": known.name, "what": known.what, "shipped": known.names, "added": added.get(known.name, ())}
        for known in classes().values()
    ]
    if as_json:
        print_json({"schema": "davylamp.inventory/1", "classes": rows})
        return
    print_table(
        ("class", "shipped", "added", "what"),
        [(row["class"], len(row["shipped"]), len(row["added"]), row["what"]) for row in rows],
    )
