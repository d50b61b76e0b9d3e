"""`davylamp rules check`: what loads, what is refused and why, what can never match, what is no rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS
from daemon.cli.blind import Blind
from daemon.cli.blind_load import AUDIT_LEVELS, blind_at_load, by_reason
from daemon.cli.pipeline_option import pipeline_option
from daemon.ruleset import loader
from detectors.sigma.ruleset import RuleSet

_REASONS: Final = 10


@click.command()
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.option(
    "--source",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Sources that you have; all by default.",
)
@click.option(
    "--audit-level",
    default=AUDIT_LEVELS[-1],
    show_default=True,
    type=click.Choice(AUDIT_LEVELS),
    help="How much of a request the cluster's audit policy keeps.",
)
@click.option("--blind/--no-blind", "listed", default=False, help="Name every rule that can never match.")
@pipeline_option
@click.pass_context
def check(
    ctx: click.Context,
    folders: tuple[Path, ...],
    no_builtin: bool,
    as_json: bool,
    kinds: tuple[str, ...],
    audit_level: str,
    listed: bool,
    pipelines: tuple[Path, ...],
) -> None:
    """Load every rule; report each refusal with file, line, reason, way out. Exit 1 if there is one.

    Rules that can never match an event of your sources are called blind; they are no error.
    """
    given = Detection(builtin_rules=not no_builtin, rules=folders, pipelines=pipelines)
    loaded, report = loader(given).load()
    if broken := report.cache["broken"]:
        click.echo(f"{broken} entries of the rule cache were not as written; compiled again", err=True)
    blind = blind_at_load(loaded, kinds or KINDS, audit_level)
    if as_json:
        click.echo(orjson.dumps(_document(loaded, blind)))
    else:
        _show(loaded, blind, listed=listed)
    ctx.exit(1 if loaded.refusals else 0)


def _document(loaded: RuleSet, blind: Sequence[Blind]) -> dict[str, Any]:
    return {
        "rules": len(loaded.rules),
        "correlations": len(loaded.correlations),
        "refusals": [
            {"file": r.path, "line": r.line, "id": r.rule_id, "reason": r.reason, "way_out": r.way_out}
            for r in loaded.refusals
        ],
        "blind": [{"id": item.rule_id, "title": item.title, "reason": item.reason} for item in blind],
        "others": [{"file": item.path, "line": item.line, "kind": item.kind} for item in loaded.others],
    }


def _show(loaded: RuleSet, blind: Sequence[Blind], *, listed: bool) -> None:
    for refusal in loaded.refusals:
        click.echo(str(refusal))
    if listed:
        for item in blind:
            click.echo(f"blind: {item.rule_id}  {item.title}: {item.reason}")
    else:
        reasons = by_reason(blind)
        for reason, count in reasons[:_REASONS]:
            click.echo(f"blind: {count}: {reason}")
        if len(reasons) > _REASONS:
            rest = sum(count for _, count in reasons[_REASONS:])
            click.echo(f"blind: {rest} for {len(reasons) - _REASONS} other reasons; --blind names each rule")
    for kind, count in Counter(item.kind for item in loaded.others).most_common():
        click.echo(f"not rules: {count} {kind}")
    counts = (len(loaded.rules), len(loaded.correlations), len(loaded.refusals))
    told = f", {len(blind)} blind" if blind else ""
    click.echo("{} rules, {} correlations, {} refused".format(*counts) + told)
