"""`davylamp rules check|list|test|explain|convert`: what loads, and whether each rule does what it says."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import orjson
from sigma.cli.convert import convert as sigma_convert

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from daemon.cli.explain import explain_rule
from daemon.ruleset import documents, ruleset
from detectors.event import Event, Fields, Locator
from detectors.rules import builtin
from detectors.rules.cases import SUFFIX, CaseFormatError, Cases, builtin_cases, judge, parse_cases
from detectors.sigma.document import RuleDocument
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


rules.add_command(explain_rule)


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
@_RULES
@_BUILTIN
@click.pass_context
def test(ctx: click.Context, folders: tuple[Path, ...], no_builtin: bool) -> None:
    """Run the events beside each rule (`rule.events.json`: match, no_match). Exit 1 if one fails."""
    loaded = _load(folders, no_builtin)
    failed = ran = 0
    for item in (*loaded.rules, *loaded.correlations):
        cases = _cases_of(item.identity.path)
        if cases is None:
            click.echo(f"{item.identity.path}: no test events beside it")
            continue
        for wanted, tries in ((True, cases.match), (False, cases.no_match)):
            for number, records in enumerate(tries, 1):
                ran += 1
                if judge(loaded, item.id, _events(records)) is not wanted:
                    failed += 1
                    click.echo(f"{item.identity.path}: {'match' if wanted else 'no_match'} {number} fails")
    click.echo(f"{ran} tries, {failed} failed")
    ctx.exit(1 if failed else 0)


def _cases_of(path: str) -> Cases | None:
    beside = Path(path).with_suffix(SUFFIX)
    try:
        if beside.is_file():
            return parse_cases(str(beside), beside.read_text(encoding="utf-8"))
        return builtin_cases(RuleDocument(path, ""))
    except CaseFormatError:
        return None


def _events(records: Sequence[Fields]) -> list[Event]:
    """Return the records as events of the source that recognises them; what none recognises is left out."""
    sources = [profile(kind) for kind in KINDS]
    found: list[Event] = []
    for place, record in enumerate(records):
        source = next((s for s in sources if s.recognise(record)), None)
        if source is not None:
            found.append(source.parse(record, Locator("test", 0, place, 0)))
    return found


@rules.command()
@click.argument("rule_id")
@_RULES
@click.option("--target", default="lucene", show_default=True, help="A target of sigma-cli.")
def convert(rule_id: str, folders: tuple[Path, ...], target: str) -> None:
    """Print the SIEM query of the rule with this id, as sigma-cli converts it."""
    document = next((d for d in [*builtin(), *documents(folders)] if rule_id in d.text), None)
    if document is None:
        raise click.UsageError(f"no rule has the id {rule_id!r}; davylamp rules list shows them")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(document.path).name
        file.write_text(document.text, encoding="utf-8")
        sigma_convert.main(["-t", target, "--without-pipeline", str(file)], standalone_mode=False)
