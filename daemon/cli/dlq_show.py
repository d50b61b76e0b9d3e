"""`davylamp dlq show`: how many dead letters of which kind, and the newest."""

from __future__ import annotations

from pathlib import Path

import click

from config.kafka import Kafka
from daemon.cli.database import config_option, json_option, print_json, settings_of
from daemon.cli.letter_options import MOST, done, filters
from daemon.cli.listing import print_line, print_table
from daemon.letters import Letters, Wanted, letters
from detectors.finding import rfc3339


@click.command()
@config_option
@json_option
@filters
@click.option("--limit", type=click.IntRange(1, MOST), default=20, show_default=True, help="Newest letters.")
def show(
    path: Path | None,
    as_json: bool,
    reason: str | None,
    source: str | None,
    target: str | None,
    limit: int,
) -> None:
    """Count the dead letters by reason and show the newest ones; `redrive --letters` takes the JSON."""
    settings = settings_of(path)
    found = done(settings.kafka, _gathered(settings.kafka, Wanted(reason, source, target), limit))
    columns = ("letters", "reason", "role", "source", "target")
    rows = [(number, *kind) for kind, number in found.counts.most_common()]
    if as_json:
        print_json(
            {
                "schema": "davylamp.letters/1",
                "total": found.counts.total(),
                "counts": [dict(zip(columns, row, strict=True)) for row in rows],
                "letters": [letter.to_json() for letter in found.newest],
            }
        )
        return
    print_table(columns, rows)
    for letter in found.newest:
        print_line("")
        print_line(f"{rfc3339(letter.at)} {letter.reason} {letter.origin} {letter.detail}")
        print_line(f"  {letter.excerpt}")


async def _gathered(kafka: Kafka, wanted: Wanted, limit: int) -> Letters:
    found = Letters(limit)
    async for letter in letters(kafka, wanted):
        found.add(letter)
    return found
