"""`davylamp rules`: what loads; how rules are made, tried and compared stands in files of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import orjson

from config.detection import Detection
from daemon.cli.conform import conform
from daemon.cli.coverage import coverage
from daemon.cli.explain import explain_rule
from daemon.cli.new_rule import new_rule
from daemon.cli.rule_test import test_rules
from daemon.cli.rules_diff import diff_rules
from daemon.ruleset import documents, ruleset
from detectors.rules import builtin
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


for command in (conform, coverage, diff_rules, explain_rule, new_rule, test_rules):
    rules.add_command(command)


def _load(folders: tuple[Path, ...], no_builtin: bool) -> RuleSet:
    return ruleset(Detection(builtin_rules=not no_builtin, rules=folders))


@rules.command()
@_RULES
@_BUILTIN
@_JSON
@click.pass_context
def check(ctx: click.Context, folders: tuple[Path, ...], no_builtin: bool, as_json: bool) -> None:
    """Load every rule; report each refusal with file, line, reason, way out. Exit 1 if there is one."""
    loaded = _load(folders, no_builtin)
    if as_json:
        refused = [
            {"file": r.path, "line": r.line, "id": r.rule_id, "reason": r.reason, "way_out": r.way_out}
            for r in loaded.refusals
        ]
        report = {"rules": len(loaded.rules), "correlations": len(loaded.correlations), "refusals": refused}
        click.echo(orjson.dumps(report))
    else:
        for refusal in loaded.refusals:
            click.echo(str(refusal))
        counts = (len(loaded.rules), len(loaded.correlations), len(loaded.refusals))
        click.echo("{} rules, {} correlations, {} refused".format(*counts))
    ctx.exit(1 if loaded.refusals else 0)


@rules.command("list")
@_RULES
@_BUILTIN
@_JSON
def list_rules(folders: tuple[Path, ...], no_builtin: bool, as_json: bool) -> None:
    """One rule a line: level, id, title, playbook."""
    loaded = _load(folders, no_builtin)
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


@rules.command()
@click.argument("rule_id")
@_RULES
@click.option("--target", default="lucene", show_default=True, help="A target of sigma-cli.")
def convert(rule_id: str, folders: tuple[Path, ...], target: str) -> None:
    """Print the SIEM query of the rule with this id, as sigma-cli converts it."""
    from sigma.cli.convert import convert as sigma_convert  # takes longer to import than all the rest

    document = next((d for d in [*builtin(), *documents(folders)] if rule_id in d.text), None)
    if document is None:
        raise click.UsageError(f"no rule has the id {rule_id!r}; davylamp rules list shows them")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(document.path).name
        file.write_text(document.text, encoding="utf-8")
        sigma_convert.main(["-t", target, "--without-pipeline", str(file)], standalone_mode=False)
