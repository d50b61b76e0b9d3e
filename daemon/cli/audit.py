"""`davylamp audit verify|export`: is the record of every decision whole?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click
from sqlalchemy import select

from connectors.store import audit as trail
from connectors.store import timeline
from connectors.store.schema import incidents
from daemon.cli.database import (
    NOT_DONE,
    FailedError,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.group()
def audit() -> None:
    """The audit trail: what was decided, by whom."""


@audit.command()
@config_option
@json_option
@click.option("--bundle", type=_FILE, help="An earlier export: is all of it still in the database?")
@click.option("--public-key", "key", type=_FILE, help="The key that the export must be signed with.")
@click.pass_context
def verify(
    ctx: click.Context, path: Path | None, as_json: bool, bundle: Path | None, key: Path | None
) -> None:
    """Check the hash chains of the audit trail and of every timeline. Exit 1 if one is broken.

    A chain alone cannot tell that its newest rows were cut off, or that all of it was written anew: an
    export, kept elsewhere, can.
    """
    if (bundle is None) != (key is None):
        raise click.UsageError("--bundle and --public-key belong together")
    problems = _of_bundle(bundle, key) if bundle and key else []
    with opened(settings_of(path)) as database, database.reading() as connection:
        if bundle and not problems:
            from connectors.evidence.rows import lost_since

            problems += lost_since(connection, bundle)
        problems += trail.verify(connection) + timeline.orphaned(connection)
        known = list(connection.execute(select(incidents.c.id)).scalars())
        for incident_id in known:
            problems += [f"incident {incident_id}: {p}" for p in timeline.verify(connection, incident_id)]
    if as_json:
        print_json({"timelines": len(known), "problems": problems})
    else:
        for problem in problems:
            print_line(problem)
        click.echo(f"audit trail and {len(known)} timelines: " + ("broken" if problems else "whole"))
    ctx.exit(1 if problems else 0)


@audit.command()
@config_option
@click.option("--out", type=_FILE, required=True, help="The zip to write.")
def export(path: Path | None, out: Path) -> None:
    """Write the audit trail and all timelines as a signed bundle (`incidents verify` checks it offline)."""
    from connectors.evidence.error import EvidenceError
    from daemon.cli.evidence import bundle_written, key_of
    from daemon.evidence import export_record, snapshot

    settings = settings_of(path)
    key = key_of(settings)
    try:
        with opened(settings) as database, snapshot(database) as connection:
            made = export_record(connection, out, key, settings.site, time.time())
    except EvidenceError as error:
        raise FailedError(str(error), NOT_DONE) from error
    bundle_written(out, made)


def _of_bundle(bundle: Path, key: Path) -> list[str]:
    from daemon.cli.evidence import checked

    return [f"{bundle.name}: {problem}" for problem in checked(bundle, key).problems]
