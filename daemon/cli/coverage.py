"""`davylamp rules coverage`: the ATT&CK techniques that the loaded rules see, and which rules are blind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import FileUnreadableError, read_events
from daemon.cli.blind import Blind, Presence, blind_rules, observe, paths_of
from daemon.cli.listing import print_line, print_table
from daemon.cli.main import NOT_DONE
from daemon.cli.pipeline_option import pipeline_option
from daemon.ruleset import ruleset
from detectors.event import Event
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet

LAYER_VERSIONS: Final[Mapping[str, str]] = {"navigator": "4.9.0", "layer": "4.5"}
"""The layer format and the oldest Navigator that reads it; Sigma tags state no version of ATT&CK.

Source: mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md."""

NO_SOURCE: Final = "no source"


@click.command("coverage")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--navigator",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a layer for the ATT&CK Navigator (format 4.5) to this file.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Say which rules of --source can never match this file.",
)
@click.option("--source", "kind", type=click.Choice(KINDS), help="What the file of --data holds.")
@pipeline_option
@click.pass_context
def coverage(
    ctx: click.Context,
    folders: tuple[Path, ...],
    no_builtin: bool,
    as_json: bool,
    navigator: Path | None,
    data: Path | None,
    kind: str | None,
    pipelines: tuple[Path, ...],
) -> None:
    """Show the ATT&CK techniques of the loaded rules by source, and with --data which rules are blind.

    Rules of log sources that Davylamp does not read count in no score, and a technique that has no others is
    not in the table.

    A rule is blind when fields that it cannot do without never occur in the data (for a Kubernetes audit log
    of level Metadata: request bodies). What is named is blind for certain; a rule that is not named may still
    match nothing. Blind rules do not count in the layer's scores. The exit code is 0 also when rules are
    blind.
    """
    if (data is None) != (kind is None):
        raise click.UsageError("--data and --source go together")
    loaded = ruleset(Detection(builtin_rules=not no_builtin, rules=folders, pipelines=pipelines))
    seen: Presence | None = None
    blind: list[Blind] = []
    if data is not None and kind is not None:
        try:
            seen = observe(_events(data, kind), paths_of(loaded, profile(kind)))
        except FileUnreadableError as error:
            click.echo(str(error), err=True)
            ctx.exit(NOT_DONE)
        if not seen.events:
            raise click.UsageError(f"{data} holds no event of {kind}")
        blind = blind_rules(loaded, profile(kind), seen)
    table = techniques(loaded)
    if navigator is not None:
        _write(ctx, navigator, orjson.dumps(layer(table, {item.rule_id for item in blind})))
    if as_json:
        click.echo(orjson.dumps(_document(loaded, table, seen, blind)))
    else:
        _show(loaded, table, seen, blind)


def techniques(loaded: RuleSet) -> dict[str, dict[str, list[str]]]:
    """Return for each technique id the ids of its rules by source kind; `no source` where none answers."""
    sources = {rule.id: _sources(rule) for rule in loaded.rules}
    for item in loaded.correlations:
        sources[item.id] = list(dict.fromkeys(kind for rule in item.rules for kind in sources.get(rule, ())))
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in (*loaded.rules, *loaded.correlations):
        for technique in item.identity.attack:
            for kind in sources[item.id]:
                found[technique][kind].append(item.id)
    return {technique: dict(found[technique]) for technique in sorted(found)}


def layer(table: Mapping[str, Mapping[str, list[str]]], blind: Collection[str]) -> dict[str, Any]:
    """Return a Navigator layer: a technique's score is the number of its rules that can see something.

    That leaves out blind rules, and those of log sources that Davylamp does not read.
    """
    entries: list[dict[str, Any]] = []
    for technique, kinds in table.items():
        everyone = {rule for kind, rules in kinds.items() if kind != NO_SOURCE for rule in rules}
        comment = ", ".join(f"{kind}: {len(rules)}" for kind, rules in kinds.items())
        unseen = len(everyone & set(blind))
        comment += f"; blind: {unseen}" if unseen else ""
        entries.append({"techniqueID": technique, "score": len(everyone) - unseen, "comment": comment})
    most = max((entry["score"] for entry in entries), default=0)
    return {
        "name": "Davylamp",
        "versions": dict(LAYER_VERSIONS),
        "domain": "enterprise-attack",
        "description": "Score: rules that see the technique. The comment counts them by source.",
        "techniques": entries,
        "gradient": {"colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": max(1, most)},
    }


def _write(ctx: click.Context, path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        click.echo(f"{path}: {error.strerror}", err=True)
        ctx.exit(NOT_DONE)


def _sources(rule: Rule) -> list[str]:
    return [kind for kind in KINDS if routes(rule.logsource, profile(kind))] or [NO_SOURCE]


def _events(data: Path, kind: str) -> Iterator[Event]:
    return (item for item in read_events(data, profile(kind)) if isinstance(item, Event))


def _untagged(loaded: RuleSet) -> list[str]:
    return [item.id for item in (*loaded.rules, *loaded.correlations) if not item.identity.attack]


def _document(
    loaded: RuleSet,
    table: Mapping[str, Mapping[str, list[str]]],
    seen: Presence | None,
    blind: list[Blind],
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "techniques": table,
        "without_technique": _untagged(loaded),
        "refused": len(loaded.refusals),
    }
    if seen is not None:
        found["data"] = {"events": seen.events, "audit_levels": sorted(seen.levels)}
        found["blind"] = [{"id": b.rule_id, "title": b.title, "reason": b.reason} for b in blind]
    return found


def _show(
    loaded: RuleSet,
    table: Mapping[str, Mapping[str, list[str]]],
    seen: Presence | None,
    blind: list[Blind],
) -> None:
    unseen = {technique for technique, kinds in table.items() if set(kinds) == {NO_SOURCE}}
    seen_by = {technique: kinds for technique, kinds in table.items() if technique not in unseen}
    unmet = any(NO_SOURCE in kinds for kinds in seen_by.values())
    columns = (*KINDS, NO_SOURCE) if unmet else KINDS
    rows = [
        (technique, *(len(kinds.get(kind, ())) or "" for kind in columns))
        for technique, kinds in seen_by.items()
    ]
    print_table(("technique", *columns), rows)
    print_line(f"{len(seen_by)} techniques, {len(_untagged(loaded))} rules without one")
    if foreign := sum(_sources(rule) == [NO_SOURCE] for rule in loaded.rules):
        told = f"{foreign} rules are of log sources that Davylamp does not read"
        print_line(f"{told}; {len(unseen)} techniques have no others" if unseen else told)
    if loaded.refusals:
        print_line(f"{len(loaded.refusals)} rules refused; davylamp rules check says why")
    if seen is not None:
        print_line(f"{seen.events} events read, {len(blind)} rules blind on them")
        for item in blind:
            print_line(f"blind: {item.rule_id}  {item.title}: {item.reason}")
