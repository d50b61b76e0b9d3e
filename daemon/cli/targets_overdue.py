"""`davylamp targets overdue`: credentials whose routine rotation is late, or whose last proof is too old."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from connectors.rotation.catalogue import typed
from connectors.store.overdue import Overdue, ages, overdue
from daemon.cli.database import config_option, json_option, opened, print_json, settings_of
from daemon.cli.listing import print_table
from daemon.roles.respond.policy import target_refs
from daemon.roles.respond.schedule_settings import timetable_of
from daemon.web import documents, words


@click.command("overdue")
@config_option
@json_option
@click.pass_context
def overdue_command(ctx: click.Context, path: Path | None, as_json: bool) -> None:
    """List what is overdue, and exit with 1 when anything is."""
    settings = typed(settings_of(path))
    timetable, known, now = timetable_of(settings), target_refs(settings), time.time()
    with opened(settings) as database, database.reading() as connection:
        found = overdue(connection, known, timetable, now)
        aged = ages(connection, known, now)
    if as_json:
        print_json({"overdue": [document(one, now) for one in found], "age_s": aged})
    else:
        columns = ("target", "class", "owner", "why", "by", "last proof", "schedule", "last action", "id")
        print_table(columns, [_cells(one, now) for one in found])
    ctx.exit(1 if found else 0)


def document(one: Overdue, now: float) -> dict[str, Any]:
    """Return one overdue target; times are RFC 3339, durations seconds."""
    return {
        "target": one.target.key,
        "class": one.target.classification,
        "owner": one.target.owner,
        "why": one.why,
        "since": documents.time(one.since),
        "overdue_s": None if one.since is None else round(now - one.since, 3),
        "age_s": None if one.age_s is None else round(one.age_s, 3),
        "schedule": one.schedule or None,
        "action_id": one.action_id or None,
        "state": one.state or None,
        "reason": one.reason or None,
        "frozen_until": documents.time(one.frozen_until),
    }


def _cells(one: Overdue, now: float) -> tuple[object, ...]:
    by = words.span(now - one.since) if one.since is not None else "-"
    proof = f"{words.span(one.age_s)} ago" if one.age_s is not None else "never"
    last = f"{one.state}: {one.reason}" if one.state else "none"
    if one.frozen_until is not None:
        last = f"frozen until {words.stamp(one.frozen_until)}"
    target = one.target
    return (
        target.key,
        target.classification,
        target.owner,
        one.why.replace("_", " "),
        by,
        proof,
        one.schedule or "-",
        last,
        one.action_id or "-",
    )
