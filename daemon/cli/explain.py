"""`davylamp rules explain`: why a rule did or did not match an event, test by test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import read_events
from daemon.ruleset import ruleset
from detectors.event import Event, Json
from detectors.sigma.explanation import Explained, Linked, Tested, explain, nearest_miss
from detectors.sigma.path import MISSING
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet

_SEEN_CHARACTERS = 200
_NO_MATCH = 1


@click.command("explain")
@click.argument("rule")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--source", "kind", type=click.Choice(KINDS), required=True, help="What the file holds.")
@click.option("--event", "event_id", help="Only the event whose id begins so; the first one when not given.")
@click.option("--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def explain_rule(
    ctx: click.Context,
    rule: str,
    file: Path,
    kind: str,
    event_id: str | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Show every test of RULE (id, name or file) on an event of FILE, true or false, with what it saw.

    For an event that does not match, the nearest miss comes last. Exit 0 when it matches, else 1.
    """
    known = _rule(ruleset(Detection(rules=folders)), rule)
    event = next(_events(file, kind, event_id), None)
    if event is None:
        named = f" with the id {event_id}" if event_id else ""
        raise click.UsageError(f"{file} holds no event of {kind}{named}")
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


def _rule(loaded: RuleSet, wanted: str) -> Rule:
    for rule in loaded.rules:
        known = rule.identity
        if wanted in (known.id, known.name) or Path(known.path).stem == Path(wanted).stem:
            return rule
    raise click.UsageError(
        f"no rule is called {wanted!r} by id, name or file; davylamp rules list shows them"
    )


def _events(file: Path, kind: str, event_id: str | None) -> Iterator[Event]:
    for item in read_events(file, profile(kind)):
        if isinstance(item, Event) and (event_id is None or item.event_id.startswith(event_id)):
            yield item


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
    yield f"{indent}{_mark(explained)} {explained.link}"
    for part in explained.parts:
        yield from _tree(part, depth + 1)


def _line(test: Tested) -> str:
    wanted = " or ".join(test.wanted)
    if test.path is None:
        return f"{_mark(test)} anywhere: {wanted}"
    seen = "not there" if test.seen is MISSING else json.dumps(test.seen, ensure_ascii=True)
    shown = seen if len(seen) <= _SEEN_CHARACTERS else f"{seen[:_SEEN_CHARACTERS]}..."
    return f"{_mark(test)} {test.path}: {wanted}; it is {shown}"


def _mark(explained: Tested | Linked) -> str:
    return "yes" if explained.holds else "no "
