"""`davylamp playbooks check|render`: lint, and the page that the person on call would read."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import orjson

from daemon.cli.playbooks_agreement import agreement_command
from daemon.playbook_library import playbook_texts
from playbooks.library import check as checked
from playbooks.page import render as rendered
from playbooks.values import values_of

_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))


@click.group()
def playbooks() -> None:
    """Playbooks: the pages and steps behind incidents."""


playbooks.add_command(agreement_command)


@playbooks.command()
@_FILES
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Lint the shipped playbooks and FILES; every problem at once. Exit 1 if there is one."""
    good, problems = checked(playbook_texts(files))
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{len(good)} playbooks, {len(problems)} problems")
    ctx.exit(1 if problems else 0)


@playbooks.command()
@click.argument("playbook_id")
@click.option(
    "--incident", type=click.File("rb"), help="A davylamp.incident/1 object to fill in; - for stdin."
)
@click.option("--playbooks", "paths", multiple=True, type=click.Path(path_type=Path), help="More playbooks.")
def render(playbook_id: str, incident: click.utils.LazyFile | None, paths: tuple[Path, ...]) -> None:
    """Print a playbook as Markdown with an incident's values filled in."""
    good, _ = checked(playbook_texts(paths))
    if playbook_id not in good:
        raise click.UsageError(f"no playbook {playbook_id!r}; there are {', '.join(sorted(good))}")
    values = values_of(orjson.loads(incident.read())) if incident else {}
    sys.stdout.write(rendered(good[playbook_id], values))
