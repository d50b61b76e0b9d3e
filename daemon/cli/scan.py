"""`davylamp scan FILE... --source KIND`: offline, a finding a line, the code of detect and correlate."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn
from rich.text import Text

from config.detection import Detection
from connectors.sources.catalogue import KINDS
from daemon.cli.main import NOT_DONE
from daemon.garbage import settle
from daemon.ruleset import ruleset
from daemon.scanning import Located, Tally
from daemon.scanning import scan as scan_files
from detectors.level import LEVELS, parse_level, rank

_DAY_S = 86_400.0
_LEARNING_DAYS = Detection().learning_days


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="What the files hold.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")
@click.option("--fail-level", default="low", type=click.Choice(LEVELS), help="Exit 1 from this level on.")
@click.option("--learning-days", default=_LEARNING_DAYS, show_default=True, help="Baselines learn so long.")
@click.pass_context
def scan(
    ctx: click.Context,
    files: tuple[Path, ...],
    kind: str,
    folders: tuple[Path, ...],
    no_builtin: bool,
    as_json: bool,
    fail_level: str,
    learning_days: float,
) -> None:
    """Run the rules over FILES (.gz, JSON Lines, arrays, envelopes). Exit 1 if something was found."""
    rules = ruleset(Detection(builtin_rules=not no_builtin, rules=folders))
    for refusal in rules.refusals:
        click.echo(str(refusal), err=True)
    settle()
    tally, worst = Tally(), -1
    try:
        read = _read(files, tally)
        for located in scan_files(read, kind, rules, learning_s=learning_days * _DAY_S, tally=tally):
            worst = max(worst, rank(located.finding.level))
            _print(located, as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        click.echo(str(error), err=True)
        ctx.exit(NOT_DONE)
    _summary(tally)
    ctx.exit(1 if worst >= rank(parse_level(fail_level)) else 0)


def _print(located: Located, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(located.to_json()) + b"\n")
        return
    finding, place = located.finding, located.locators[0]
    click.echo(f"{finding.level:<13} {place.topic}:{place.offset}  {finding.explain}")


def _summary(tally: Tally) -> None:
    if tally.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.rejected.items()))
        click.echo(f"{tally.rejected.total()} unreadable: {reasons}", err=True)
    if tally.evaluation_errors:
        click.echo(f"{tally.evaluation_errors.total()} evaluation errors", err=True)


class _Events(ProgressColumn):
    """The number of events read so far."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def render(self, task: Task) -> Text:
        """Return the count."""
        return Text(f"{self._tally.events:,} events")


def _read(files: Sequence[Path], tally: Tally) -> Iterator[Path]:
    """Yield the files; on a terminal a bar moves by the bytes of those that are done."""
    columns = (BarColumn(), TaskProgressColumn(), _Events(tally))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scan", total=sum(path.stat().st_size for path in files))
        for path in files:
            yield path
            bar.advance(task, path.stat().st_size)
