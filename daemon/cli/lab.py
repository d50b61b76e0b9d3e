"""`davylamp lab`: labelled attacks and benign traffic as real records; what was found of them."""

from __future__ import annotations

from pathlib import Path

import click

from config.detection import Detection
from daemon.cli.database import FailedError, json_option
from daemon.cli.lab_options import end_with, play_options, script_of
from daemon.cli.lab_play import play
from daemon.cli.lab_report import print_catalogue
from daemon.cli.listing import print_line
from daemon.cli.main import NOT_DONE
from daemon.cli.scan import EventTime
from daemon.lab.folder import INVENTORY, LabelsError, read_findings, read_labels, write
from daemon.lab.judging import findings_of
from daemon.lab.score import score
from daemon.lab.script import BEGIN, EACH, HOURS, Plan
from daemon.ruleset import ruleset
from detectors.level import LEVELS, Level

_AN_ALERT = click.option("--level", type=click.Choice(LEVELS), default="low", help="An alert begins here.")


@click.group()
def lab() -> None:
    """Play labelled attacks and benign traffic, and tell what was found of them."""


lab.add_command(play)


@lab.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the techniques and look-alikes."""
    print_catalogue(as_json)


@lab.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder.")
@click.option("--begin", type=EventTime(), default=BEGIN, help="Event time of the beginning.")
@click.option("--hours", type=click.FloatRange(0.01, 168), default=HOURS, show_default=True)
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--no-inventory", is_flag=True, help="Rules know nothing about the company.")
@click.option("--no-scan", is_flag=True, help="Write the files and stop.")
@_AN_ALERT
@play_options(EACH)
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    out: Path,
    begin: float,
    hours: float,
    folders: tuple[Path, ...],
    no_builtin: bool,
    no_inventory: bool,
    no_scan: bool,
    level: Level,
    seed: int,
    background: int,
    chosen: tuple[str, ...],
    mesh_text: bool,
    as_json: bool,
) -> None:
    """Write a play into a folder, run the rules over it, tell what they found.

    The folder holds KIND.jsonl for each source, istio_access.log, labels.json and inventory.yaml. The same
    options give the same bytes. Exit 1 when a technique was missed or a look-alike was taken for an attack.
    """
    script = script_of(Plan(seed, begin, hours * 3600, background, chosen))
    try:
        labels = write(script, out)
        if no_scan:
            print_line(f"{len(script.played)} records, labels and inventory in {out}")
            return
        inventory = () if no_inventory else (out / INVENTORY,)
        rules = ruleset(Detection(builtin_rules=not no_builtin, rules=folders, inventory=inventory))
        for refusal in rules.refusals:
            click.echo(str(refusal), err=True)
        found = list(findings_of(out, rules, mesh_text=mesh_text))
    except OSError as error:
        raise FailedError(str(error), NOT_DONE) from error
    end_with(ctx, score(found, labels, level), as_json=as_json)


@lab.command("score")
@click.argument("findings", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("labels", type=click.Path(path_type=Path, dir_okay=False))
@_AN_ALERT
@json_option
@click.pass_context
def judge(ctx: click.Context, findings: Path, labels: Path, level: Level, as_json: bool) -> None:
    """Lay FINDINGS (of `davylamp scan --json`) over LABELS (of `lab run` or `lab play`).

    Exit 1 when a technique was missed or a look-alike was taken for an attack.
    """
    try:
        result = score(read_findings(findings), read_labels(labels), level)
    except (LabelsError, OSError) as error:
        raise FailedError(str(error), NOT_DONE) from error
    end_with(ctx, result, as_json=as_json)
