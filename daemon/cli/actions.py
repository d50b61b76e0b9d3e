"""`davylamp actions list|plan|approve|reject`: proposals and plans, for the terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import click

from config.settings import Settings
from connectors.rotation.catalogue import typed
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
from daemon.cli.targets_dry_run import looked
from daemon.web import consumers_view, documents, plan_view, words
from playbooks.target import DataClass, TargetRef


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
@click.option("--dry-run", "look", is_flag=True, help="Look at the target too: what would change now.")
def plan(action_id: str, path: Path | None, as_json: bool, look: bool) -> None:
    """Show what exactly would happen, the digest to approve, the guards and the approvals."""
    checked_id(action_id)
    settings = settings_of(path)
    with opened(settings) as database, database.reading() as connection:
        record = reading.action(connection, action_id)
    if record is None:
        raise FailedError(f"there is no action {action_id}", NOT_DONE)
    would = _would(settings, record) if look else None
    if as_json:
        print_json(documents.action(record) | ({"would": would} if would is not None else {}))
        return
    _print(record)
    if would is not None:
        click.echo("\nWould change now")
        for line in would:
            print_line(f"  {line}")


def _would(settings: Settings, record: ActionRecord) -> list[str]:
    """Return what the plan's target would lose now; only looks. Raises FailedError."""
    target = TargetRef(
        record.target_kind,
        record.mount,
        record.name,
        cast(DataClass, record.classification),
        record.target_owner,
    )
    return list(looked(typed(settings), target)[1])


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


@actions.command()
@_deciding
def force(action_id: str, path: Path | None, digest: str, token_file: Path | None, url: str | None) -> None:
    """Cut off the consumers that have not moved: the digest names the plan and them."""
    address = f"/api/actions/{checked_id(action_id)}/force"
    answer = post(settings_of(path), url, token_file, address, {"digest": digest})
    named = (answer.get("consumers") or {}).get("left") or []
    print_line(f"recorded: cut off {', '.join(map(str, named[:8])) or 'nobody'}, when enough people agree")


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
    _print_consumers(record)
    click.echo("\nWhat it can reach")
    for line in plan_view.outlook(record):
        print_line(f"  {line}")
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


def _print_consumers(record: ActionRecord) -> None:
    found = consumers_view.table(record)
    if found is None:
        return
    click.echo("\nWho uses it")
    for line in found.lines:
        print_line(f"  {line.name}: {line.missing or 'moved'} (known by {line.known_by})")
    if found.digest:
        print_line(f"  to cut off who is left ({found.needed} to agree): --digest {found.digest}")
