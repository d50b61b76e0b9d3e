"""`davylamp incidents list|show|ack|close|export|verify`: what the incident pages do, for the terminal."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import get_args

import click

from connectors.store import audit, reading
from connectors.store import incidents as incident_store
from connectors.store.records import IncidentRecord
from connectors.store.risk_reading import Campaign
from daemon.cli.approver import approver_options, post
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
from daemon.web import documents, words
from daemon.web.narrative import deeds, waits
from playbooks.incident import CloseReason, IllegalTransitionError


@click.group()
def incidents() -> None:
    """Incidents: what is open, what the machine did, what it waits for."""


@incidents.command("list")
@config_option
@json_option
@click.option("--state", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
def list_(path: Path | None, as_json: bool, state: str, limit: int) -> None:
    """List incidents, the worst first."""
    with opened(settings_of(path)) as database, database.reading() as connection:
        found = reading.queue(connection, limit=limit, closed_limit=limit)
    rows = [*(found.open if state != "closed" else ()), *(found.closed if state != "open" else ())]
    if as_json:
        print_json({"incidents": [documents.incident_line(row) for row in rows]})
        return
    now = time.time()
    print_table(
        ("#", "level", "status", "age", "title", "primary", "id"),
        [
            (r.number, r.level, r.status, words.span(now - r.opened_at), r.title, r.primary_id, r.id)
            for r in rows
        ],
    )


@incidents.command()
@click.argument("incident_id")
@config_option
@json_option
def show(incident_id: str, path: Path | None, as_json: bool) -> None:
    """Show one incident: verdict, what the machine did, what it waits for, findings, timeline."""
    checked_id(incident_id)
    with opened(settings_of(path)) as database, database.reading() as connection:
        record = reading.incident(connection, incident_id)
    if record is None:
        raise FailedError(f"there is no incident {incident_id}", NOT_DONE)
    if as_json:
        print_json(documents.incident(record, time.time()))
        return
    _print(record, time.time())


@incidents.command()
@click.argument("incident_id")
@config_option
@approver_options
def ack(incident_id: str, path: Path | None, token_file: Path | None, url: str | None) -> None:
    """Say that you have it (as the approver whose token you give)."""
    address = f"/api/incidents/{checked_id(incident_id)}/acknowledge"
    answer = post(settings_of(path), url, token_file, address)
    print_line(
        f"{answer.get('person')} has it" if answer.get("new") else f"{answer.get('person')} had it already"
    )


@incidents.command()
@click.argument("incident_id")
@config_option
@click.option("--reason", type=click.Choice(sorted(get_args(CloseReason))), required=True)
@click.option("--note", default="", help="A sentence for those who read it later.")
def close(incident_id: str, path: Path | None, reason: str, note: str) -> None:
    """Close an incident with a reason (needs respond's database login)."""
    checked_id(incident_id)
    by, now = f"cli:{getpass.getuser()}", time.time()
    detail = {"reason": reason} | ({"note": note} if note else {})
    try:
        with opened(settings_of(path), "respond") as database, database.transaction() as connection:
            incident_store.transition(connection, incident_id, "closed", now, by, detail)
            audit.record(connection, now, by, "incident.close", incident_id, "done", {"reason": reason})
            audit.publish(connection, now)
    except IllegalTransitionError as error:
        raise FailedError(str(error), NOT_DONE) from error
    print_line(f"closed: {reason}")


@incidents.command()
@click.argument("incident_id")
@config_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The zip to write."
)
def export(incident_id: str, path: Path | None, out: Path) -> None:
    """Write one incident as a signed bundle that verifies offline (docs/evidence.md)."""
    from connectors.evidence.error import EvidenceError
    from daemon.cli.evidence import bundle_written, key_of
    from daemon.evidence import export_incident, snapshot

    checked_id(incident_id)
    settings = settings_of(path)
    key = key_of(settings)
    try:
        with opened(settings) as database, snapshot(database) as connection:
            made = export_incident(connection, incident_id, out, key, settings.site, time.time())
    except EvidenceError as error:
        raise FailedError(str(error), NOT_DONE) from error
    if made is None:
        raise FailedError(f"there is no incident {incident_id}", NOT_DONE)
    bundle_written(out, made)


@incidents.command()
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--public-key", "key", type=click.Path(path_type=Path, dir_okay=False), required=True)
@json_option
@click.pass_context
def verify(ctx: click.Context, bundle: Path, key: Path, as_json: bool) -> None:
    """Check a bundle against the public key; needs no settings and no database. Exit 1 if it is not whole."""
    from daemon.cli.evidence import checked, print_verified

    ctx.exit(print_verified(checked(bundle, key), as_json))


def _print(record: IncidentRecord, now: float) -> None:
    row = record.row
    print_line(f"#{row.number} {row.level} {row.status}: {row.title}")
    print_line(f"{row.primary_type} {row.primary_id}, since {words.stamp(row.first_event_at)}")
    click.echo("\nWhat the machine already did")
    for deed in deeds(record):
        print_line(f"  {words.stamp(deed.at) if deed.at is not None else 'not yet':<23}  {deed.text}")
    click.echo("\nWhat it waits for")
    acknowledged = bool(record.acknowledged_by) or row.acked_at is not None
    for wait in waits(row, record.actions, acknowledged, now):
        print_line(f"  {wait.text}")
    for whole in record.campaigns:
        print_line(f"Part of #{whole.number}: {whole.title} ({whole.id})")
    if record.campaign is not None:
        _print_campaign(record.campaign)
    click.echo(f"\nFindings ({record.findings_total})")
    for finding in record.findings:
        print_line(f"  {finding.get('level')}  {finding.get('rule_id')}: {finding.get('explain')}")
    click.echo("\nTimeline")
    for line in record.timeline:
        print_line(f"  {words.stamp(line.at)}  {line.kind}: {line.text}")


def _print_campaign(found: Campaign) -> None:
    click.echo("\nCampaign")
    print_line(f"  tactics: {', '.join(found.tactics)}; risk {found.risk:.0f}")
    for step in found.steps:
        told = ", ".join(step.tactics)
        print_line(f"  {words.stamp(step.at)}  {step.level}  {step.rule_id} ({told}): {step.explain}")
    for part in found.parts:
        print_line(f"  part #{part.number} {part.level} {part.status}: {part.title} ({part.id})")
