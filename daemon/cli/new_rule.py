"""`davylamp rules new`: a rule and its test events from one sample event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import yaml

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.files import FileUnreadableError, read_events
from daemon.cli.listing import print_line
from daemon.cli.look_alike import look_alikes
from daemon.cli.main import NOT_DONE
from daemon.cli.rule_test import UnreadableTryError, events_of
from detectors.event import Event, Fields, Json
from detectors.level import LEVELS
from detectors.rules.cases import SUFFIX, judge
from detectors.sigma.document import RuleDocument, UnsupportedConstructError
from detectors.sigma.path import MISSING, lookup
from detectors.sigma.ruleset import RuleSet

DEFAULT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "cloudtrail": ("eventSource", "eventName"),
    "kubernetes_audit": (
        "verb",
        "stage",
        "objectRef.apiGroup",
        "objectRef.resource",
        "objectRef.subresource",
    ),
    "istio_access": ("method", "path", "response_code"),
    "vault_audit": ("type", "request.operation", "request.path"),
}
"""What is chosen without --fields: what was done to which kind of thing, never who did it."""
_TITLE: Final = "Fill in: what was seen, in a few words"


class SampleError(click.UsageError):
    """The sample event or the chosen fields do not make a rule; the message says why."""


@click.command("new")
@click.option("--source", "kind", type=click.Choice(KINDS), required=True, help="What the file holds.")
@click.option(
    "--event",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="A file with the sample event; the first one counts.",
)
@click.option("--fields", help="Fields of the event to select by, with commas between; a.b is b inside a.")
@click.option("--title", default=_TITLE, help="The rule's title.")
@click.option("--level", type=click.Choice(LEVELS), default="medium", show_default=True)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("new_rule.yml"),
    show_default=True,
    help="The rule file (.yml); its test events go beside it.",
)
@click.pass_context
def new_rule(
    ctx: click.Context, kind: str, file: Path, fields: str | None, title: str, level: str, to: Path
) -> None:
    """Write a rule that matches the sample event, and beside it its test events.

    The sample is the match; a copy in which one chosen field differs is the look-alike that must not match.
    Without --fields the rule selects by what was done to which kind of thing. Nothing is overwritten. The
    test events hold the sample as it is: look at it before you share the file.
    """
    beside = to.with_suffix(SUFFIX)
    if to.suffix not in (".yml", ".yaml"):
        raise click.UsageError(f"{to}: a rule file ends in .yml")
    if taken := [path for path in (to, beside) if path.exists()]:
        raise click.UsageError(f"{taken[0]} is there already; --to names another file")
    try:
        event = next((item for item in read_events(file, profile(kind)) if isinstance(item, Event)), None)
    except FileUnreadableError as error:
        click.echo(str(error), err=True)
        ctx.exit(NOT_DONE)
    if event is None:
        raise SampleError(f"{file} holds no event of {kind}")
    chosen = [name.strip() for name in fields.split(",") if name.strip()] if fields else _default(event)
    text, other = drafted(event, chosen, title, level)
    cases = {"match": [event.fields], "no_match": [other]}
    try:
        to.write_text(text, encoding="utf-8")
        beside.write_text(json.dumps(cases, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}", err=True)
        ctx.exit(NOT_DONE)
    print_line(f"{to}: selects by {', '.join(chosen)}; fill in title, description, tags and level")
    print_line(f"{beside}: one match, one no_match; davylamp rules test --no-builtin --rules {to}")


def drafted(event: Event, chosen: Sequence[str], title: str, level: str) -> tuple[str, Fields]:
    """Return the rule's text and the record that it must not match; both are tried before they are returned.

    Raises SampleError.
    """
    rule_id = str(uuid.uuid4())
    text = _text(rule_id, event, selection(event, chosen), title, level)
    loaded = RuleSet.load([RuleDocument("the new rule", text)])
    if loaded.refusals:
        raise SampleError(str(loaded.refusals[0]))
    if not _fires(loaded, rule_id, event.fields):
        raise SampleError(
            "the rule does not match its sample: read back from a file the event is another one"
        )
    for name in reversed(chosen):
        for record in look_alikes(event.fields, event.profile.aliases.get(name, name).split(".")):
            if _fires(loaded, rule_id, record) is False:
                return text, record
    raise SampleError("no change of the chosen fields makes a look-alike; choose others with --fields")


def selection(event: Event, chosen: Sequence[str]) -> dict[str, Any]:
    """Return the selection that asks for the event's own values in the chosen fields. Raises SampleError."""
    found: dict[str, Any] = {}
    for name in chosen:
        if "|" in name:
            raise SampleError(f"{name!r} is no field: what follows | is a modifier; add it in the file")
        try:
            value = lookup(event.profile.aliases.get(name, name))(event.fields)
        except UnsupportedConstructError as error:
            raise SampleError(f"{name!r}: {error.reason}") from error
        if value is MISSING:
            raise SampleError(
                f"the sample event has no field {name!r}; its fields are {_names(event.fields)}"
            )
        if isinstance(value, list) and value and not any(isinstance(one, dict | list) for one in value):
            found[name if len(value) == 1 else f"{name}|all"] = [_literal(one) for one in value]
        elif isinstance(value, dict | list):
            raise SampleError(f"{name!r} is no single value; choose a field inside it, as {name}.something")
        else:
            found[name] = _literal(value)
    if not found:
        raise SampleError("the sample event has none of the usual fields; choose some with --fields")
    return found


def _default(event: Event) -> list[str]:
    wanted = DEFAULT_FIELDS[event.source]
    return [
        name
        for name in wanted
        if not isinstance(found := lookup(name)(event.fields), dict | list | type(MISSING))
        and found not in ("", None)
    ]


def _literal(value: Json) -> Json:
    """Return `value` so that Sigma reads it as itself: wildcards and backslashes escaped."""
    if not isinstance(value, str):
        return value
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _text(rule_id: str, event: Event, selected: dict[str, Any], title: str, level: str) -> str:
    source = event.profile.logsources[0]
    rule: dict[str, Any] = {
        "title": title,
        "id": rule_id,
        "status": "experimental",
        "description": "Fill in: what happened, and why it matters.",
        "tags": [],
        "logsource": {key: value for key, value in source._asdict().items() if value is not None},
        "detection": {"selection": selected, "condition": "selection"},
        "falsepositives": ["Fill in: who does this in daily work"],
        "level": level,
    }
    return yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=110)


def _fires(loaded: RuleSet, rule_id: str, record: Fields) -> bool | None:
    """Return the rule's verdict on a record, None when no source takes the record."""
    try:
        return judge(loaded, rule_id, events_of([json.loads(json.dumps(record))]))
    except UnreadableTryError:
        return None


def _names(fields: Fields, limit: int = 40) -> str:
    names = [
        f"{key}.{inner}" if inner else key
        for key, value in fields.items()
        for inner in (value if isinstance(value, dict) and value else ("",))
    ]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
