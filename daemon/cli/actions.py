"""`davylamp actions list|plan|approve|reject`: proposals and plans, for the terminal."""

from __future__ import annotations

import time
from pathlib import Path

import click

from connectors.store import reading
from connectors.store.records import ActionRecord
from daemon.cli.approver import approver_options, post
from daemon.cli.database import (
    NOT_DONE,
    F,
    FailedError,
    checked_id,
    config_option,
    json_option,
    opened,
    print_json,
    settings_of,
)
from daemon.cli.listing import print_line, print_table
from daemon.web import documents, plan_view, words


@click.group()
def actions() -> None:
    """Actions: what is proposed, what runs, who has to agree."""


@actions.command("list")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
def list_(path: Path | None, as_json: bool, limit: int) -> None:
    """List actions, the newest first."""
    with opened(settings_of(path)) as database, database.reading() as connection:
        rows = reading.actions(connection, limit=limit)
    if as_json:
        print_json({"actions": [documents.action(row) for row in rows]})
        return
    now = time.time()
    print_table(
        ("state", "target", "class", "approvals", "grade", "age", "id"),
        [
            (
                f"{row.state}{' (drill)' if row.drill else ''}",
                f"{row.mount}/{row.name}",
                row.classification,
                f"{row.given} of {row.needed}",
                (row.proof or {}).get("grade") or "-",
                words.span(now - row.created_at),
                row.id,
            )
            for row in rows
        ],
    )


@actions.command()
@click.argument("action_id")
@config_option
@json_option
def plan(action_id: str, path: Path | None, as_json: bool) -> None:
    """Show what exactly would happen, the digest to approve, the guards and the approvals."""
    checked_id(action_id)
    with opened(settings_of(path)) as database, database.reading() as connection:
        record = reading.action(connection, action_id)
    if record is None:
        raise FailedError(f"there is no action {action_id}", NOT_DONE)
    if as_json:
        print_json(documents.action(record))
        return
    _print(record)


def _deciding(command: F) -> F:
    digest = click.option("--digest", required=True, help="The digest of the plan that you read.")
    return click.argument("action_id")(config_option(digest(approver_options(command))))


@actions.command()
@_deciding
def approve(action_id: str, path: Path | None, digest: str, token_file: Path | None, url: str | None) -> None:
    """Approve the plan with this digest (as the approver whose token you give)."""
    _decide("approve", action_id, path, digest, token_file, url)


@actions.command()
@_deciding
def reject(action_id: str, path: Path | None, digest: str, token_file: Path | None, url: str | None) -> None:
    """Reject the plan with this digest (as the approver whose token you give)."""
    _decide("reject", action_id, path, digest, token_file, url)


def _decide(
    verb: str, action_id: str, path: Path | None, digest: str, token_file: Path | None, url: str | None
) -> None:
    address = f"/api/actions/{checked_id(action_id)}/{verb}"
    answer = post(settings_of(path), url, token_file, address, {"digest": digest})
    done = "approved" if verb == "approve" else "rejected"
    print_line(f"{done}: {answer.get('given')} of {answer.get('needed')} approvals given")


def _print(record: ActionRecord) -> None:
    print_line(f"{record.verb} {record.mount}/{record.name} ({record.classification}), mode {record.mode}")
    print_line(f"state {record.state}{f': {record.reason}' if record.reason else ''}")
    print_line(f"digest {record.digest}")
    click.echo("\nSteps")
    for number, step in enumerate(plan_view.steps(record), 1):
        mark = "  cannot be undone" if step.irreversible else ""
        print_line(f"  {number}. {step.title}{mark}")
    click.echo("\nWho feels it")
    for line in plan_view.blast_radius(record):
        print_line(f"  {line}")
    click.echo("\nWay back")
    for line in plan_view.undo(record):
        print_line(f"  {line}")
    click.echo("\nGuards")
    for guard in plan_view.guards(record):
        print_line(f"  {guard.mark:<9}  {guard.name}: {guard.reason}")
    click.echo(f"\nApprovals: {record.given} of {record.needed}")
    for approval in record.approvals:
        old = "" if approval.digest == record.digest else " (an older plan)"
        print_line(f"  {approval.approver}: {approval.decision}{old}, {words.stamp(approval.at)}")
