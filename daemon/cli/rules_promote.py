"""`davylamp rules promote RULE --to STATE`: checks what the step asks, says what is missing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click

from config.detection import Detection
from config.settings import Settings
from connectors.sources.catalogue import KINDS
from connectors.sources.files import FileUnreadableError
from daemon.cli.database import FailedError, config_option, json_option, print_json, settings_of
from daemon.cli.findings_read import findings_from
from daemon.cli.listing import print_line
from daemon.cli.main import NOT_DONE
from daemon.cli.rule_test import tries
from daemon.cli.scan import EventTime
from daemon.cli.scan_files import opened
from daemon.holding import standings_in
from daemon.lifecycle_file import replace, with_entry
from daemon.ruleset import ruleset
from daemon.scan_tally import Tally
from daemon.scanning import scan
from detectors.finding import Finding, rfc3339
from detectors.level import rank
from detectors.lifecycle.promotion import QUIET_S, Recorded, Replayed, Requirement, Tried, requirements
from detectors.lifecycle.state import STATES, State
from detectors.rules.cases import deciding
from detectors.sigma.ruleset import RuleSet

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("promote")
@click.argument("rule_id")
@click.option("--to", required=True, type=click.Choice(STATES), help="The state that it is to have.")
@click.option("--lifecycle", "file", type=_FILE, help="The file to write; by default the configuration's.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--source", "kind", type=click.Choice(KINDS), help="What the files of --replay hold.")
@click.option("--replay", "events", multiple=True, type=click.Path(path_type=Path), help="Events to replay.")
@click.option("--most", default=1.0, show_default=True, help="Findings a thousand events: fewer are asked.")
@click.option("--findings", "stored", multiple=True, type=_FILE, help="Recorded findings, not Kafka's.")
@click.option("--allow", default=0, type=click.IntRange(0), help="So many of them were looked at and right.")
@click.option("--by", required=True, help="Who says so.")
@click.option("--reason", default="", help="Why.")
@click.option("--at", type=EventTime(), help="The time that counts as now; by default now.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@json_option
@config_option
@click.pass_context
def promote_rule(
    ctx: click.Context,
    rule_id: str,
    to: State,
    file: Path | None,
    folders: tuple[Path, ...],
    no_builtin: bool,
    kind: str | None,
    events: tuple[Path, ...],
    most: float,
    stored: tuple[Path, ...],
    allow: int,
    by: str,
    reason: str,
    at: float | None,
    dry_run: bool,
    as_json: bool,
    path: Path | None,
) -> None:
    """Give a rule another state when it has shown what that asks. Exit 1, and nothing written, when not.

    To shadow: two events that must match and two look-alikes beside the rule, and all tests passed. To live,
    besides: 48 hours in shadow, a --replay of at least 1,000 events with fewer than --most findings (medium
    and above) a thousand, and no finding recorded in the last 48 hours beyond those of --allow. A step back
    (live to shadow, anything to draft or retired) asks nothing.

    Recorded findings come from Kafka with --config, or from the files of --findings.
    """
    if events and kind is None:
        raise click.UsageError("--replay needs --source")
    settings = settings_of(path) if path else None
    said = settings.detection if settings else Detection()
    target = file or next(iter(said.lifecycle), None)
    if target is None:
        raise click.UsageError("no file to write: name one with --lifecycle, or in detection.lifecycle")
    standing = standings_in([target] if target.exists() else []).get(rule_id)
    changes = {"rules": (*said.rules, *folders), "builtin_rules": said.builtin_rules and not no_builtin}
    part = _part(ruleset(said.model_copy(update=changes)), rule_id)
    now = time.time() if at is None else at
    asked = requirements(
        standing,
        to,
        now,
        _tried(part, rule_id),
        _replayed(part, rule_id, kind, events) if kind and events else None,
        _recorded(rule_id, settings, stored, now, allow) if to == "live" else None,
        most,
    )
    good = all(one.met for one in asked)
    entry = _entry(to, now, by, reason, asked)
    if as_json:
        rows = [{"name": one.name, "met": one.met, "told": one.told} for one in asked]
        print_json(
            {"schema": "davylamp.promotion/1", "rule": rule_id, "to": to, "met": good, "requirements": rows}
        )
    else:
        for one in asked:
            print_line(f"{'met' if one.met else 'missing':<8} {one.name}: {one.told}")
    if good and not dry_run:
        _write(target, rule_id, entry)
        click.echo(f"{rule_id} is {to} in {target}", err=as_json)
    ctx.exit(0 if good else 1)


def _part(loaded: RuleSet, rule_id: str) -> RuleSet:
    if all(item.id != rule_id for item in (*loaded.rules, *loaded.correlations)):
        for refusal in loaded.refusals:
            if refusal.rule_id == rule_id:
                raise click.UsageError(f"the rule is refused: {refusal}")
        raise click.UsageError(f"no rule {rule_id} is loaded (davylamp rules list shows them)")
    return deciding(loaded, rule_id)


def _tried(part: RuleSet, rule_id: str) -> Tried:
    path = next(item.identity.path for item in (*part.rules, *part.correlations) if item.id == rule_id)
    done = [one for one in tries(part, rule_id) if one.path == path and one.verdict != "untested"]
    wanted = sum(one.name.startswith("match") for one in done)
    not_wanted = sum(one.name.startswith("no_match") for one in done)
    return Tried(wanted, not_wanted, sum(one.verdict == "failed" for one in done))


def _replayed(part: RuleSet, rule_id: str, kind: str, files: Sequence[Path]) -> Replayed:
    tally, count = Tally(), 0
    try:
        for located in scan(opened(tuple(files)), kind, part, learning_s=None, tally=tally):
            finding = located.finding
            count += finding.rule_id == rule_id and rank(finding.level) >= rank("medium")
    except FileUnreadableError as error:
        raise FailedError(str(error), NOT_DONE) from error
    return Replayed(tally.events, count)


def _recorded(
    rule_id: str, settings: Settings | None, stored: Sequence[Path], now: float, allow: int
) -> Recorded | None:
    if not stored and settings is None:
        return None
    found: set[str] = set()

    def take(finding: Finding) -> None:
        if finding.rule_id == rule_id and now - QUIET_S <= finding.event_time <= now:
            found.add(finding.finding_id)

    findings_from(stored, settings.kafka if settings else None, now - QUIET_S, take)
    return Recorded(len(found), allow)


def _entry(to: State, now: float, by: str, reason: str, asked: Sequence[Requirement]) -> dict[str, str]:
    entry = {"state": to, "since": rfc3339(now), "by": by}
    if reason:
        entry["reason"] = reason
    if asked:
        entry["evidence"] = "; ".join(f"{one.name}: {one.told}" for one in asked)
    return entry


def _write(target: Path, rule_id: str, entry: dict[str, str]) -> None:
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else ""
        replace(target, with_entry(text, rule_id, entry))
    except OSError as error:
        raise FailedError(f"{target}: {error.strerror}", NOT_DONE) from error
