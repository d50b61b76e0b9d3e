"""`davylamp rules import sigmahq PATH`: rules of SigmaHQ beside ours: origin, overlap, what is new."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from config.detection import Detection
from config.istio import Istio
from connectors.sources.catalogue import KINDS
from connectors.sources.files import FileUnreadableError, read_events
from connectors.sources.istio_configured import configured
from daemon.cli.database import FailedError, json_option, print_json
from daemon.cli.listing import print_line
from daemon.cli.main import NOT_DONE
from daemon.cli.rule_test import UnreadableTryError, events_of
from daemon.cli.scan_files import opened
from daemon.import_folder import Update, earlier, update, write
from daemon.importing import LICENSE, ORIGIN, Checkout, read_checkout
from daemon.ruleset import ruleset
from detectors.event import Event
from detectors.finding import rfc3339
from detectors.lifecycle.overlap import Overlap, overlaps
from detectors.rules import builtin
from detectors.rules.cases import CaseFormatError, builtin_cases
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet

_ORIGINS: Final = ("sigmahq",)
_SHOWN: Final = 20


@click.command("import")
@click.argument("origin", type=click.Choice(_ORIGINS))
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--into", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to keep them."
)
@click.option("--commit", help="The commit of the rules, where PATH is no git checkout.")
@click.option("--state", default="shadow", type=click.Choice(["draft", "shadow"]), show_default=True)
@click.option(
    "--rules", "folders", multiple=True, type=click.Path(path_type=Path), help="More rules of yours."
)
@click.option("--no-builtin", is_flag=True, help="Leave the shipped rules and their test events out.")
@click.option("--source", "kind", type=click.Choice(KINDS), help="What the files of --events hold.")
@click.option(
    "--events", "files", multiple=True, type=click.Path(path_type=Path), help="Events to compare by."
)
@click.option("--all", "whole", is_flag=True, help="Print every line, not twenty of each kind.")
@json_option
@click.pass_context
def import_rules(
    ctx: click.Context,
    origin: str,
    path: Path,
    folder: Path | None,
    commit: str | None,
    state: str,
    folders: tuple[Path, ...],
    no_builtin: bool,
    kind: str | None,
    files: tuple[Path, ...],
    whole: bool,
    as_json: bool,
) -> None:
    """Take rules of a SigmaHQ checkout, folder or archive: those for sources that Davylamp reads.

    Without --into nothing is written. With it the rules are kept as they came in DIR/rules, with origin,
    commit, license and authors in DIR/NOTICE.md and DIR/import.json, and their states in DIR/lifecycle.yaml:
    name DIR/rules in detection.rules and DIR/lifecycle.yaml in detection.lifecycle. A second import says what
    is new, changed and gone; states stay as they are.

    The overlap tells which of your rules looks for the same: by its selections, and by the events that both
    match (the test events of the shipped rules, and those of --events). Exit 1 when a document is refused.
    """
    if files and kind is None:
        raise click.UsageError("--events needs --source")
    checkout = read_checkout(path, commit)
    before = earlier(folder) if folder is not None else None
    change = update(before, checkout.taken)
    ours = ruleset(Detection(builtin_rules=not no_builtin, rules=folders))
    known = [] if no_builtin else _test_events()
    found = _overlaps(checkout.ruleset, ours, [*known, *_events(files, kind)])
    if folder is not None:
        try:
            write(folder, checkout, change, state, rfc3339(time.time()), f"davylamp rules import {origin}")
        except OSError as error:
            raise FailedError(f"{error.filename or folder}: {error.strerror}", NOT_DONE) from error
    if as_json:
        print_json(_document(checkout, change, found))
    else:
        _show(checkout, change, found, _titles(checkout.ruleset, ours), folder, None if whole else _SHOWN)
    ctx.exit(1 if checkout.refused else 0)


def _overlaps(theirs: RuleSet, ours: RuleSet, events: Sequence[Event]) -> list[Overlap]:
    known = {rule.id for rule in ours.rules}
    others = [rule for rule in theirs.rules if rule.id not in known]
    return overlaps(others, ours.rules, events, (Engine(theirs), Engine(ours)))


def _test_events() -> Iterator[Event]:
    for document in builtin():
        try:
            cases = builtin_cases(document)
        except CaseFormatError:
            continue
        for records in cases.match:
            try:
                yield from events_of(records)
            except UnreadableTryError:
                continue


def _events(files: Sequence[Path], kind: str | None) -> Iterator[Event]:
    if not files or kind is None:
        return
    source = configured(kind, Istio())
    try:
        for path in opened(tuple(files)):
            for item in read_events(path, source):
                if isinstance(item, Event):
                    yield item
    except FileUnreadableError as error:
        raise FailedError(str(error), NOT_DONE) from error


def _document(checkout: Checkout, change: Update, found: Sequence[Overlap]) -> dict[str, Any]:
    return {
        "schema": "davylamp.rules-import/1",
        "origin": ORIGIN,
        "commit": checkout.commit,
        "license": LICENSE,
        "taken": len(checkout.taken),
        "other_log_sources": dict(checkout.others.most_common()),
        "refused": [{"file": r.path, "line": r.line, "reason": r.reason} for r in checkout.refused],
        "new": list(change.new),
        "changed": list(change.changed),
        "gone": list(change.gone),
        "moved": [list(pair) for pair in change.moved],
        "same": change.same,
        "overlap": [
            {
                "theirs": one.theirs,
                "ours": one.ours,
                "selection": round(one.selection, 3),
                "events": one.events,
                "shared": one.shared,
            }
            for one in found
        ],
    }


def _show(
    checkout: Checkout,
    change: Update,
    found: Sequence[Overlap],
    titles: dict[str, str],
    folder: Path | None,
    most: int | None,
) -> None:
    _lines("refused", [str(refusal) for refusal in checkout.refused], most)
    _lines("new", change.new, most)
    _lines("changed", change.changed, most)
    _lines("gone", change.gone, most)
    _lines("moved", [f"{old} to {new}" for old, new in change.moved], most)
    told = [
        f"{titles.get(one.theirs, one.theirs)} ~ {titles.get(one.ours, one.ours)}: "
        f"{one.selection:.0%} of the tests, {one.shared} of {one.events} events"
        for one in found
    ]
    _lines("overlap", told, most)
    version = f"at {checkout.commit}" if checkout.commit else "commit not known (--commit names it)"
    print_line(
        f"{len(checkout.taken)} files taken from {ORIGIN} {version}, {LICENSE}: {len(change.new)} new, "
        f"{len(change.changed)} changed, {len(change.gone)} gone, {len(change.moved)} moved, "
        f"{change.same} the same; {len(checkout.refused)} refused, "
        f"{checkout.others.total()} for other log sources, {len(found)} overlap with yours"
    )
    print_line("nothing was written; --into DIR keeps them" if folder is None else f"kept in {folder}")


def _lines(name: str, texts: Sequence[str], most: int | None) -> None:
    for text in texts[:most]:
        print_line(f"{name:<8} {text}")
    if most is not None and len(texts) > most:
        print_line(f"{name:<8} and {len(texts) - most} more; --all prints them")


def _titles(*sets: RuleSet) -> dict[str, str]:
    return {rule.id: rule.identity.title for one in sets for rule in one.rules}
