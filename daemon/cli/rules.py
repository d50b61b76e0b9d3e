"""`davylamp rules`: what loads; how rules are made, tried and compared stands in files of their own."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from config.detection import Detection
from daemon.cli.conform import conform
from daemon.cli.coverage import coverage
from daemon.cli.explain import explain_rule
from daemon.cli.new_rule import new_rule
from daemon.cli.pipeline_option import pipeline_option
from daemon.cli.rule_test import test_rules
from daemon.cli.rules_check import check
from daemon.cli.rules_convert import convert_rules
from daemon.cli.rules_diff import diff_rules
from daemon.cli.rules_import import import_rules
from daemon.cli.rules_promote import promote_rule
from daemon.ruleset import ruleset
from detectors.sigma.rule import CorrelationRule, Rule
from detectors.sigma.ruleset import RuleSet

_RULES = click.option(
    "--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules."
)
_BUILTIN = click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.group()
def rules() -> None:
    """Sigma rules."""


for command in (
    *(check, conform, convert_rules, coverage, diff_rules, explain_rule, import_rules, new_rule),
    *(promote_rule, test_rules),
):
    rules.add_command(command)


def _load(folders: tuple[Path, ...], no_builtin: bool, pipelines: tuple[Path, ...]) -> RuleSet:
    return ruleset(Detection(builtin_rules=not no_builtin, rules=folders, pipelines=pipelines))


@rules.command("list")
@_RULES
@_BUILTIN
@_JSON
@pipeline_option
def list_rules(
    folders: tuple[Path, ...], no_builtin: bool, as_json: bool, pipelines: tuple[Path, ...]
) -> None:
    """One rule a line: level, id, title, playbook."""
    loaded = _load(folders, no_builtin, pipelines)
    for item in (*loaded.rules, *loaded.correlations):
        known = item.identity
        if as_json:
            row = {"id": known.id, "title": known.title, "level": known.level, "attack": list(known.attack)}
            click.echo(
                orjson.dumps({**row, "playbook": known.playbook, "kind": _kind(item), "file": known.path})
            )
        else:
            click.echo(f"{known.level:<13} {known.id}  {known.title}  [{known.playbook or 'no playbook'}]")


def _kind(item: Rule | CorrelationRule) -> str:
    return "rule" if isinstance(item, Rule) else item.kind
