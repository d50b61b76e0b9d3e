"""`davylamp targets list|drill|dry-run|debt|overdue`: credentials that may be rotated; rehearsing one."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Any

import click

from connectors.rotation.catalogue import typed
from connectors.store import reading
from connectors.store.database import Database
from connectors.store.error import UnknownRowError
from connectors.store.promotion import request_drill
from connectors.store.records import ActionRecord
from daemon.cli.database import (
    USAGE,
    FailedError,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line, print_table
from daemon.cli.targets_consumers import consumers
from daemon.cli.targets_debt import debt_command
from daemon.cli.targets_dry_run import dry_run
from daemon.cli.targets_overdue import overdue_command
from daemon.roles.respond.policy import policy_of
from daemon.web import documents, words
from playbooks.action import TERMINAL

_POLL_S = 0.25
_NOT_A = 1


@click.group()
def targets() -> None:
    """Targets: the credentials that Davylamp may rotate."""


targets.add_command(dry_run)
targets.add_command(consumers)
targets.add_command(debt_command)
targets.add_command(overdue_command)


@targets.command("list")
@config_option
@json_option
def list_(path: Path | None, as_json: bool) -> None:
    """List the configured targets with their epochs and last drills."""
    settings = settings_of(path)
    with opened(settings) as database, database.reading() as connection:
        known = [
            (target, reading.target(connection, target.key)) for target in typed(settings).response.targets
        ]
    if as_json:
        print_json(
            {
                "targets": [
                    {**documents.target(state), "class": t.classification, "owner": t.owner, "login": t.login}
                    for t, state in known
                ]
            }
        )
        return
    print_table(
        ("target", "class", "owner", "epoch", "last drill"),
        [(t.key, t.classification, t.owner, state.epoch, _drill(state)) for t, state in known],
    )


@targets.command()
@click.argument("name")
@config_option
@json_option
@click.option("--wait", is_flag=True, help="Wait for the proof; exit 0 only for grade A.")
@click.option("--timeout", type=click.FloatRange(1, 3600), default=300.0, help="Seconds.")
@click.pass_context
def drill(
    ctx: click.Context, name: str, path: Path | None, as_json: bool, wait: bool, timeout: float
) -> None:
    """Rotate a target now and prove it, as a rehearsal. NAME is its key, mount/name or name."""
    settings = settings_of(path)
    with opened(settings, "respond") as database:
        try:
            action_id = request_drill(database, name, time.time(), getpass.getuser(), policy_of(settings))
        except UnknownRowError as error:
            raise FailedError(str(error), USAGE) from error
        record = _ended(database, action_id, timeout) if wait else _read(database, action_id)
    grade = (record.proof or {}).get("grade")
    if as_json:
        print_json(drilled(record))
    elif wait:
        why = f" ({record.reason})" if record.reason else ""
        result = drilled(record)
        took = f", {result['duration_s']:.1f} s" if result["duration_s"] is not None else ""
        proof = f", proof {result['proof_id']}" if result["proof_id"] else ""
        print_line(f"{record.target_key}: {record.state}{why}, proof grade {grade or 'none'}{took}{proof}")
    else:
        print_line(f"asked for: {action_id}")
    if wait:
        ctx.exit(0 if grade == "A" else _NOT_A)


def drilled(record: ActionRecord) -> dict[str, Any]:
    """Return a drill's action with its `result` (passed, failed, waiting), `duration_s` and `proof_id`.

    The duration is from the worker's start to the end, in seconds; a proof is called by its action's id.
    """
    grade = (record.proof or {}).get("grade")
    began, ended = record.started_at, record.finished_at
    return {
        **documents.action(record),
        "result": "waiting" if record.state not in TERMINAL else "passed" if grade else "failed",
        "duration_s": round(ended - began, 3) if began is not None and ended is not None else None,
        "proof_id": record.id if record.proof else None,
    }


def _ended(database: Database, action_id: str, timeout: float) -> ActionRecord:
    """Return the action when it has ended, or as it is when the time is over."""
    until = time.monotonic() + timeout
    while True:
        record = _read(database, action_id)
        if record.state in TERMINAL or time.monotonic() >= until:
            return record
        time.sleep(_POLL_S)


def _read(database: Database, action_id: str) -> ActionRecord:
    with database.reading() as connection:
        record = reading.action(connection, action_id)
    if record is None:
        raise UnknownRowError(f"no action {action_id}")
    return record


def _drill(state: Any) -> str:
    if state.drilled_at is None:
        return "never"
    result = f"passed, grade {state.drill_grade}" if state.drill_passed else "failed"
    return f"{words.stamp(state.drilled_at)}: {result}"
