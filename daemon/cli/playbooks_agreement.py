"""`davylamp playbooks agreement`: what auto would have done, beside what people decided."""

from __future__ import annotations

import time
from pathlib import Path

import click

from connectors.store.agreement import judged
from daemon.cli.database import config_option, json_option, opened, print_json, settings_of
from daemon.cli.listing import print_line, print_table
from playbooks.shadow import DAYS, SHARE, agreement

_DAY_S = 86_400.0


@click.command("agreement")
@config_option
@json_option
@click.option("--days", type=click.FloatRange(0.01, 3650), default=90.0, show_default=True, help="Look back.")
def agreement_command(path: Path | None, as_json: bool, days: float) -> None:
    """Say, by playbook, how often people did what auto would have done. It changes nothing."""
    now = time.time()
    with opened(settings_of(path)) as database, database.reading() as connection:
        found = agreement(judged(connection, now - days * _DAY_S), now)
    if as_json:
        print_json({"playbooks": [one.to_json() for one in found], "days": DAYS, "share": SHARE})
        return
    print_table(
        ("playbook", "days", "approved", "rejected", "undecided", "left to people", "agreement", "ready"),
        [
            (
                one.playbook,
                f"{one.days:.1f}",
                str(one.approved),
                str(one.rejected),
                str(one.undecided),
                str(one.left),
                "-" if one.share is None else f"{one.share:.0%}",
                "yes" if one.ready else "no",
            )
            for one in found
        ],
    )
    print_line(
        f"ready: {DAYS:.0f} days and {SHARE:.0%} where auto would have acted; you decide, nothing changes"
    )
