"""`davylamp exceptions check/report`: what the exceptions say, what they did, and which nobody needs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from config.detection import Detection
from daemon.cli.database import FailedError, config_option, json_option, print_json, settings_of
from daemon.cli.findings_read import findings_from
from daemon.cli.listing import print_line, print_table
from daemon.cli.main import NOT_DONE
from daemon.cli.scan import EventTime
from daemon.holding import exemptions_in
from daemon.ruleset import ruleset
from detectors.exception.breadth import broad, powerless
from detectors.exception.entry import Exemption
from detectors.exception.exemptions import OWN
from detectors.finding import Finding, rfc3339
from detectors.level import Level
from detectors.lifecycle.held import EXCEPTION

MAX_FINDINGS = 2_000_000
_DAY_S = 86_400.0
_SOON_DAYS = 30
_MOSTLY = 0.9
_LEAST = 10
_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
_AT = click.option("--at", type=EventTime(), help="The time that counts as now; by default now.")


@click.group()
def exceptions() -> None:
    """Exceptions: findings that are known and no alert."""


@exceptions.command()
@_FILES
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@_AT
@json_option
@config_option
@click.pass_context
def check(
    ctx: click.Context,
    files: tuple[Path, ...],
    folders: tuple[Path, ...],
    no_builtin: bool,
    at: float | None,
    as_json: bool,
    path: Path | None,
) -> None:
    """Check FILES, or those of the configuration: expired, broad, without power, for rules not there.

    A file with a problem is refused with file, line and key (exit 2). Exit 1 when there is something to say.
    """
    said = settings_of(path).detection if path else Detection()
    known = exemptions_in(files or said.exceptions)
    levels = _levels(_with(said, folders, no_builtin))
    now = time.time() if at is None else at
    told = {entry.name: _wrong(entry, levels, now) for entry in known.entries}
    if as_json:
        rows = [{**_row(entry), "problems": told[entry.name]} for entry in known.entries]
        print_json({"schema": "davylamp.exceptions/1", "exceptions": rows})
    else:
        for entry in known.entries:
            for text in told[entry.name]:
                print_line(f"{entry.place}: {entry.name}: {text}")
        print_line(f"{len(known.entries)} exceptions, {sum(map(bool, told.values()))} with something to say")
    ctx.exit(1 if any(told.values()) else 0)


@dataclass(slots=True)
class Used:
    """What the exceptions did to the findings that were read: hits by name, findings by name and rule."""

    hits: Counter[str] = field(default_factory=Counter[str])
    newest: dict[str, float] = field(default_factory=dict[str, float])
    of_rule: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    rules: Counter[str] = field(default_factory=Counter[str])
    seen: set[str] = field(default_factory=set[str])

    def take(self, finding: Finding) -> None:
        """Count a finding once, however often it was written."""
        if finding.finding_id in self.seen:
            return
        if len(self.seen) >= MAX_FINDINGS:
            raise FailedError(f"over {MAX_FINDINGS:,} findings: take a later --since", NOT_DONE)
        self.seen.add(finding.finding_id)
        self.rules[finding.rule_id] += 1
        name = finding.labels.get(EXCEPTION)
        if name is not None:
            self.hits[name] += 1
            self.of_rule[name, finding.rule_id] += 1
            self.newest[name] = max(self.newest.get(name, 0.0), finding.event_time)

    def mostly(self, name: str) -> list[str]:
        """Return the rules of which the exception holds back nine findings in ten, of at least ten."""
        return sorted(
            rule
            for (of, rule), count in self.of_rule.items()
            if of == name and self.rules[rule] >= _LEAST and count >= _MOSTLY * self.rules[rule]
        )


@exceptions.command()
@_FILES
@click.option(
    "--findings",
    "stored",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Findings as JSON Lines (`scan --json --held`) in place of those in Kafka.",
)
@click.option("--since", type=EventTime(), help="Findings written then and later; by default 90 days back.")
@_AT
@json_option
@config_option
@click.pass_context
def report(
    ctx: click.Context,
    files: tuple[Path, ...],
    stored: tuple[Path, ...],
    since: float | None,
    at: float | None,
    as_json: bool,
    path: Path | None,
) -> None:
    """Count the hits of each exception; name those that are unused, expired, broad or hide a whole rule.

    Every finding that an exception holds back is in the topic of findings, labelled: that is what is counted,
    over all workers and restarts. Exit 1 when there is something to say.
    """
    settings = settings_of(path)
    known = exemptions_in(files or settings.detection.exceptions)
    now = time.time() if at is None else at
    used = Used()
    begin = now - 90 * _DAY_S if since is None else since
    unreadable = findings_from(stored, settings.kafka, begin, used.take)
    if unreadable:
        click.echo(f"{unreadable} findings could not be read", err=True)
    rows = [_reported(entry, used, now) for entry in known.entries]
    gone = sorted(used.hits.keys() - {entry.name for entry in known.entries})
    if as_json:
        print_json({"schema": "davylamp.exceptions/1", "exceptions": rows, "no_longer_there": gone})
    else:
        _table(rows)
        for name in gone:
            print_line(f"{name}: {used.hits[name]} hits, and no entry of that name any more")
    ctx.exit(1 if any(row["problems"] for row in rows) else 0)


def _reported(entry: Exemption, used: Used, now: float) -> dict[str, Any]:
    hits = used.hits[entry.name]
    problems = _expired(entry, now) + [f"broad: {why}" for why in broad(entry)]
    if not hits and entry.start <= now:
        problems.append("unused: it held nothing back")
    problems += [f"hides the rule {rule}: it holds back nearly all of it" for rule in used.mostly(entry.name)]
    newest = used.newest.get(entry.name)
    return {**_row(entry), "hits": hits, "newest": newest and rfc3339(newest), "problems": problems}


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ("exception", "hits", "newest", "expires", "owner", "ticket")
    cells = [(r["name"], r["hits"], r["newest"] or "", r["expires"], r["owner"], r["ticket"]) for r in rows]
    print_table(columns, cells)
    for row in rows:
        for text in row["problems"]:
            print_line(f"{row['place']}: {row['name']}: {text}")


def _wrong(entry: Exemption, levels: Mapping[str, Level], now: float) -> list[str]:
    told = _expired(entry, now) + [f"broad: {why}" for why in broad(entry)]
    for rule in powerless(entry, levels):
        told.append(f"without power: {rule} is critical, and only exact ids speak of critical findings")
    missing = sorted(r for r in entry.rules or () if r not in levels and not r.startswith(OWN))
    return told + [f"no rule {rule} is loaded" for rule in missing]


def _expired(entry: Exemption, now: float) -> list[str]:
    if entry.end <= now:
        return [f"expired {rfc3339(entry.end)}: ask {entry.owner}, or take it out"]
    days = (entry.end - now) / _DAY_S
    return [f"expires in {days:.0f} days: ask {entry.owner}"] if days <= _SOON_DAYS else []


def _row(entry: Exemption) -> dict[str, Any]:
    return {
        "name": entry.name,
        "place": entry.place,
        "rules": "all" if entry.rules is None else sorted(entry.rules),
        "owner": entry.owner,
        "reason": entry.reason,
        "ticket": entry.ticket,
        "from": rfc3339(entry.start),
        "expires": rfc3339(entry.end),
    }


def _with(said: Detection, folders: tuple[Path, ...], no_builtin: bool) -> Detection:
    changes = {"rules": (*said.rules, *folders), "builtin_rules": said.builtin_rules and not no_builtin}
    return said.model_copy(update=changes)


def _levels(detection: Detection) -> dict[str, Level]:
    loaded = ruleset(detection)
    return {item.id: item.identity.level for item in (*loaded.rules, *loaded.correlations)}
