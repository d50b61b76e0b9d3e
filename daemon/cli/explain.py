"""`davylamp rules explain`: why a rule did or did not match an event, test by test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS
from daemon.cli.explain_choice import event_of, rule_of
from daemon.cli.pipeline_option import pipeline_option
from daemon.ruleset import ruleset
from detectors.event import Event, Json
from detectors.sigma.explanation import MAX_ELEMENTS, Elements, Explained, Tested, explain, nearest_miss
from detectors.sigma.path import MISSING
from detectors.sigma.rule import Rule, routes

_SEEN_CHARACTERS = 200
_NO_MATCH = 1


@click.command("explain")
@click.argument("rule")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--source", "kind", type=click.Choice(KINDS), required=True, help="What the file holds.")
@click.option("--event", "event_id", help="The event whose id begins so.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@pipeline_option
@click.pass_context
def explain_rule(
    ctx: click.Context,
    rule: str,
    file: Path,
    kind: str,
    event_id: str | None,
    folders: tuple[Path, ...],
    as_json: bool,
    pipelines: tuple[Path, ...],
) -> None:
    """Show every test of RULE (id, name or file) on an event of FILE, true or false, with what it saw.

    Without --event it is the first event of FILE that the rule matches, else the one of the first 2,000 that
    comes nearest. For an event that does not match, the nearest miss comes last.

    Exit 0 when it matches, else 1.
    """
    files = (*folders, Path(rule)) if Path(rule).is_file() else folders
    known = rule_of(ruleset(Detection(rules=files, pipelines=pipelines)), rule)
    event = event_of(file, kind, event_id, known)
    explained = explain(known.condition, event.fields, event.profile.aliases)
    routed = routes(known.logsource, event.profile)
    matches = explained.holds and routed
    missing = nearest_miss(explained)
    if as_json:
        document: dict[str, Json] = {
            "rule": known.id,
            "event_id": event.event_id,
            "matches": matches,
            "log_source_agrees": routed,
            "tests": explained.to_json(),
            "nearest_miss": [test.to_json() for test in missing],
        }
        click.echo(orjson.dumps(document))
    else:
        click.echo("\n".join(_told(known, event, explained, routed)))
        for test in missing:
            click.echo(f"nearest miss: {_line(test)}")
    ctx.exit(0 if matches else _NO_MATCH)


def _told(rule: Rule, event: Event, explained: Explained, routed: bool) -> Iterator[str]:
    verdict = "matches" if explained.holds and routed else "does not match"
    yield f"{rule.identity.title}: {verdict} {event.event_id}"
    if not routed:
        yield f"  its log source is not {event.source}: the rule is never tried on this event"
    yield from _tree(explained, 1)


def _tree(explained: Explained, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(explained, Tested):
        yield f"{indent}{_line(explained)}"
        return
    if isinstance(explained, Elements):
        yield f"{indent}{_mark(explained)} {explained.path}: {explained.wanted}, of {len(explained.items)}"
        for at, item in explained.items[:MAX_ELEMENTS]:
            yield f"{indent}  {at}"
            yield from _tree(item, depth + 2)
        return
    yield f"{indent}{_mark(explained)} {explained.link}"
    for part in explained.parts:
        yield from _tree(part, depth + 1)


def _line(test: Tested) -> str:
    wanted = " or ".join(test.wanted)
    if test.path is None:
        return f"{_mark(test)} anywhere: {wanted}"
    seen = "not there" if test.seen is MISSING else json.dumps(test.seen, ensure_ascii=True)
    name = "" if test.name is None else f" ({test.name})"
    shown = seen if len(seen) <= _SEEN_CHARACTERS else f"{seen[:_SEEN_CHARACTERS]}..."
    return f"{_mark(test)} {test.path}{name}: {wanted}; it is {shown}"


def _mark(explained: Explained) -> str:
    return "yes" if explained.holds else "no "
