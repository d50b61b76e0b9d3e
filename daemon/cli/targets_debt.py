"""`davylamp targets debt`: old credentials that are not yet proven dead, and a person's word for one."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

import click
from sqlalchemy import Connection

from connectors.store import audit, debt, debt_reading
from connectors.store.debt_reading import DebtRow
from connectors.store.error import UnknownRowError
from daemon.cli.database import (
    USAGE,
    FailedError,
    checked_id,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line, print_table
from daemon.web import documents, words

MAX_NOTE = 500


@click.command("debt")
@config_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also those that were paid or settled.")
@click.option(
    "--settle", metavar="ACTION_ID", help="Answer for it that this action's old credential is dead."
)
@click.option("--note", default="", help="How you know it (with --settle).")
def debt_command(path: Path | None, as_json: bool, everything: bool, settle: str | None, note: str) -> None:
    """List old credentials that are not yet proven dead, the oldest first."""
    settings = settings_of(path)
    if settle is not None:
        with opened(settings, "respond") as database, database.transaction() as connection:
            _settle(connection, settle, note)
        print_line(f"settled: {settle}")
        return
    with opened(settings) as database, database.reading() as connection:
        rows = debt_reading.every(connection) if everything else debt_reading.owed(connection)
        total, _ = debt_reading.total(connection)
    if as_json:
        print_json({"owed": total, "debts": [documents.debt(row) for row in rows]})
        return
    now = time.time()
    print_table(
        ("target", "old credential", "epoch", "state", "age", "why not proven", "next look", "id"),
        [_cells(row, now) for row in rows],
    )
    if total > len(rows):
        print_line(f"{total} are owed; the oldest {len(rows)} are shown")


def _settle(connection: Connection, action_id: str, note: str) -> None:
    checked_id(action_id)
    if not note.strip() or len(note) > MAX_NOTE:
        raise FailedError(f"--note must say how you know it, in at most {MAX_NOTE} characters", USAGE)
    now, by = time.time(), f"cli:{getpass.getuser()}"
    try:
        debt.settle(connection, action_id, now, by, note.strip())
    except UnknownRowError as error:
        raise FailedError(str(error), USAGE) from error
    audit.publish(connection, now)


def _cells(row: DebtRow, now: float) -> tuple[object, ...]:
    ended = row.ended_at if row.ended_at is not None else now
    why = {"owed": row.reason, "paid": f"proven, grade {row.grade}"}.get(row.state, f"by {row.settled_by}")
    look = words.stamp(row.next_at) if row.next_at is not None else "none"
    age = words.span(ended - row.since)
    return row.target_key, row.credential, row.epoch, row.state, age, why, look, row.action_id
