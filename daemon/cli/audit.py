"""`davylamp audit verify`: is the record of every decision whole?"""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import select

from connectors.store import audit as trail
from connectors.store import timeline
from connectors.store.schema import incidents
from daemon.cli.database import config_option, json_option, opened, print_json, settings_of


@click.group()
def audit() -> None:
    """The audit trail: what was decided, by whom."""


@audit.command()
@config_option
@json_option
@click.pass_context
def verify(ctx: click.Context, path: Path | None, as_json: bool) -> None:
    """Check the hash chains of the audit trail and of every timeline. Exit 1 if one is broken."""
    with opened(settings_of(path)) as database, database.reading() as connection:
        problems = trail.verify(connection)
        known = list(connection.execute(select(incidents.c.id)).scalars())
        for incident_id in known:
            problems += [f"incident {incident_id}: {p}" for p in timeline.verify(connection, incident_id)]
    if as_json:
        print_json({"timelines": len(known), "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        click.echo(f"audit trail and {len(known)} timelines: " + ("broken" if problems else "whole"))
    ctx.exit(1 if problems else 0)
