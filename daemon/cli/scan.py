"""`davylamp scan FILE... --source KIND`: offline, a finding a line, the code of detect and correlate."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from config.detection import Detection
from config.istio import Istio
from connectors.sources.catalogue import KINDS
from daemon.cli.database import config_option, settings_of
from daemon.cli.held_option import Held, held_options
from daemon.cli.inventory_option import inventory_option
from daemon.cli.main import INTERNAL, NOT_DONE
from daemon.cli.pipeline_option import pipeline_option
from daemon.cli.scan_files import opened
from daemon.cli.scan_jobs import WorkerLostError, scan_in_processes
from daemon.cli.scan_output import FORMATS, Format, printer
from daemon.cli.scan_progress import ScanProgress
from daemon.cli.scan_summary import Summary, print_unused
from daemon.garbage import settle
from daemon.ruleset import ruleset
from daemon.scan_tally import Period, Tally
from daemon.scanning import Located, Reading
from daemon.scanning import scan as scan_files
from detectors.level import LEVELS, Level, rank
from detectors.lifecycle.state import awake

_DAY_S = 86_400.0
_LEARNING_DAYS = Detection().learning_days
_FOREVER = Period()


class EventTime(click.ParamType):
    """An RFC 3339 time with its offset, or a date, which is its first moment in UTC; becomes seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds since the epoch. A usage error for anything else."""
        if isinstance(value, float):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no RFC 3339 time (2026-05-01T10:00:00Z) and no date (2026-05-01)", param, ctx
            )
        if at.tzinfo is None and len(value) > len("2026-05-01"):
            self.fail(f"{value!r} has no offset: end it with Z for UTC", param, ctx)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="What the files hold.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--format", "wanted", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@click.option("--level", type=click.Choice(LEVELS), default="informational", help="Leave lower findings out.")
@click.option("--fail-level", default="low", type=click.Choice(LEVELS), help="Exit 1 from this level on.")
@click.option(
    "--from", "start", type=EventTime(), default=_FOREVER.start, help="Events of this time and later."
)
@click.option("--to", "end", type=EventTime(), default=_FOREVER.end, help="Events before this time.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--summary/--no-summary", default=None, help="Counts on stderr; on by itself for a table.")
@click.option("--learning-days", default=_LEARNING_DAYS, show_default=True, help="Baselines learn so long.")
@held_options
@inventory_option
@pipeline_option
@config_option
@click.pass_context
def scan(
    ctx: click.Context,
    files: tuple[Path, ...],
    kind: str,
    folders: tuple[Path, ...],
    no_builtin: bool,
    wanted: Format,
    as_json: bool,
    level: Level,
    fail_level: Level,
    start: float,
    end: float,
    jobs: int,
    summary: bool | None,
    learning_days: float,
    exceptions: tuple[Path, ...],
    lifecycles: tuple[Path, ...],
    with_held: bool,
    inventories: tuple[Path, ...],
    pipelines: tuple[Path, ...],
    path: Path | None,
) -> None:
    """Run the rules over FILES and folders (.gz, JSON Lines, arrays, envelopes); exit 1 on findings.

    Of a folder every file below it is read, hidden ones apart, in the order of their paths.

    --jobs N reads whole files in N processes; one file is never split. The findings and their order are those
    of one process: what needs several events (correlations, baselines) is gathered from all files and judged
    once at the end. The findings of at most four files a process wait in memory for their turn.

    --from and --to go by the time in the event. Events outside meet no rule, so a correlation sees only what
    happened inside; baselines still learn from what came before. Times are RFC 3339, or a date in UTC.

    Of the configuration only `istio` counts, the formats of the mesh's access logs, and
    `detection.placeholder_sources`, what a --pipeline may read, and `detection.inventory`, `exceptions`
    and `lifecycle`.

    A finding below --level is left out altogether: not printed, not counted, not in the exit code. One that
    an exception or a rule in shadow holds back is counted on stderr alone, with --held also printed.
    """
    settings = settings_of(path) if path else None
    istio = settings.istio if settings else Istio()
    said = settings.detection if settings else Detection()
    held = Held(said, exceptions, lifecycles)
    rules = ruleset(
        Detection(
            builtin_rules=not no_builtin,
            rules=folders,
            pipelines=pipelines,
            placeholder_sources=said.placeholder_sources,
            inventory=(*said.inventory, *inventories),
        )
    )
    for refusal in rules.refusals:
        click.echo(str(refusal), err=True)
    rules = awake(rules, held.holding.standings)
    if as_json:
        wanted = "jsonl"
    paths = opened(files)
    settle()
    tally, counts, worst = Tally(), Summary(), -1
    show = printer(wanted)
    # Lines of JSON or CSV on the same terminal would be broken by the bar.
    bar = ScanProgress(paths, tally, wanted=wanted == "table" or not sys.stdout.isatty())
    try:
        with bar:
            reading = Reading(kind, rules, Period(start, end), istio)
            for located in _found(paths, bar, tally, reading, learning_days * _DAY_S, jobs):
                if rank(located.finding.level) < rank(level):
                    continue
                judged = held.judge(located.finding)
                if judged is not located.finding:
                    if with_held:
                        show(located._replace(finding=judged))
                    continue
                worst = max(worst, rank(located.finding.level))
                counts.count(located.finding)
                show(located)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        click.echo(str(error), err=True)
        ctx.exit(NOT_DONE)
    except WorkerLostError as error:
        click.echo(str(error), err=True)
        ctx.exit(INTERNAL)
    print_unused(tally)
    held.tell()
    if summary or (summary is None and wanted == "table"):
        for line in counts.lines():
            click.echo(line, err=True)
    ctx.exit(1 if worst >= rank(fail_level) else 0)


def _found(
    paths: Sequence[Path],
    bar: ScanProgress,
    tally: Tally,
    reading: Reading,
    learning_s: float,
    jobs: int,
) -> Iterator[Located]:
    if jobs == 1 or len(paths) == 1:
        return scan_files(bar.followed(paths), **reading._asdict(), learning_s=learning_s, tally=tally)
    return scan_in_processes(
        paths, reading, jobs=jobs, learning_s=learning_s, tally=tally, done=bar.file_done
    )
