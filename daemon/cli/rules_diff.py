"""`davylamp rules diff OLD NEW FILE...`: which findings a change of rules would add, drop or alter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import click
import orjson

from config.detection import Detection
from connectors.sources.catalogue import KINDS
from connectors.sources.files import FileUnreadableError
from daemon.cli.listing import print_line
from daemon.cli.main import NOT_DONE
from daemon.cli.pipeline_option import pipeline_option
from daemon.cli.scan_files import opened
from daemon.ruleset import ruleset
from daemon.scanning import Located, scan
from detectors.event import Fields
from detectors.sigma.ruleset import RuleSet

Change: TypeAlias = Literal["new", "gone", "changed"]
Key: TypeAlias = tuple[str, tuple[str, ...]]
_TOLD: Final = ("title", "level", "attack", "labels", "event_ids", "entities", "explain")
"""What of a finding is compared; ids and times follow from the events."""


_A_RULE: Final = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding that is not the same: `before` of the old rules, `after` of the new ones."""

    change: Change
    before: Located | None
    after: Located | None

    @property
    def altered(self) -> tuple[str, ...]:
        """The keys that differ between before and after."""
        if self.before is None or self.after is None:
            return ()
        old, new = self.before.finding.to_json(), self.after.finding.to_json()
        return tuple(key for key in _TOLD if old.get(key) != new.get(key))

    def to_json(self) -> Fields:
        """Return the difference; the findings as `scan --json` writes them, null where there is none."""
        return {
            "change": self.change,
            "altered": list(self.altered),
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
        }


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", "kind", required=True, type=click.Choice(KINDS), help="What the files hold.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout.")
@click.option("--all", "whole", is_flag=True, help="Print every difference, not ten of each kind a rule.")
@pipeline_option
@click.pass_context
def diff_rules(
    ctx: click.Context,
    old: Path,
    new: Path,
    files: tuple[Path, ...],
    kind: str,
    as_json: bool,
    whole: bool,
    pipelines: tuple[Path, ...],
) -> None:
    """Scan FILES with the rules of OLD and with those of NEW (files or folders), and show what differs.

    A finding is the same when its rule id and its events are; findings of one correlation that share an event
    count as changed. Shipped rules and baselines take no part; all findings are held in memory. Exit 1 when
    something differs or a rule is refused.
    """
    sides = [
        ruleset(Detection(builtin_rules=False, rules=(path,), pipelines=pipelines)) for path in (old, new)
    ]
    refusals = [refusal for side in sides for refusal in side.refusals]
    for refusal in dict.fromkeys(map(str, refusals)):
        click.echo(refusal, err=True)
    paths = opened(files)
    try:
        before, after = (_findings(paths, kind, side) for side in sides)
    except FileUnreadableError as error:
        click.echo(str(error), err=True)
        ctx.exit(NOT_DONE)
    found = list(differences(before, after))
    if as_json:
        for one in found:
            click.echo(orjson.dumps(one.to_json()))
    else:
        _show(found, whole)
    counts = Counter(one.change for one in found)
    same = len({_key(item) for item in after}) - counts["new"] - counts["changed"]
    click.echo(
        f"{counts['new']} new, {counts['gone']} gone, {counts['changed']} changed, {same} the same",
        err=as_json,
    )
    ctx.exit(1 if found or refusals else 0)


def differences(before: Sequence[Located], after: Sequence[Located]) -> Iterator[Difference]:
    """Yield what differs: changed findings, then new ones, then those that are gone."""
    old = {_key(item): item for item in before}
    new = {_key(item): item for item in after}
    left = {key: item for key, item in old.items() if key not in new}
    by_event: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in left:
        for event_id in key[1]:
            by_event[key[0], event_id].append(key)
    added: list[Difference] = []
    for key, item in new.items():
        known = old.get(key) or _sharing(key, by_event, left)
        if known is None:
            added.append(Difference("new", None, item))
        elif (one := Difference("changed", known, item)).altered:
            yield one
    yield from added
    yield from (Difference("gone", item, None) for item in left.values())


def _sharing(
    key: Key, by_event: dict[tuple[str, str], list[Key]], left: dict[Key, Located]
) -> Located | None:
    """Take out of `left` a finding of the same rule that shares an event, if there is one."""
    for event_id in key[1]:
        for other in by_event.get((key[0], event_id), ()):
            if other in left:
                return left.pop(other)
    return None


def _findings(paths: Sequence[Path], kind: str, rules: RuleSet) -> list[Located]:
    return list(scan(paths, kind, rules, learning_s=None))


def _key(item: Located) -> Key:
    return item.finding.rule_id, tuple(sorted(item.finding.event_ids))


def _show(found: Sequence[Difference], whole: bool) -> None:
    """Print ten differences of each kind a rule, or all, then a line a rule when there are several."""
    shown: Counter[tuple[str, Change]] = Counter()
    rules: dict[str, Counter[Change]] = defaultdict(Counter)
    for one in found:
        item = one.after or one.before
        if item is None:
            continue
        title = item.finding.title
        rules[title][one.change] += 1
        shown[title, one.change] += 1
        if whole or shown[title, one.change] <= _A_RULE:
            _print(one)
    if not whole and (left := sum(max(0, count - _A_RULE) for count in shown.values())):
        print_line(f"and {left} more; --all prints them")
    if len(rules) > 1:
        for title, counts in rules.items():
            told = ", ".join(f"{count} {change}" for change, count in counts.items())
            print_line(f"{title}: {told}")


def _print(one: Difference) -> None:
    shown = one.after or one.before
    if shown is None:
        return
    finding, place = shown.finding, shown.locators[0]
    told = f" ({', '.join(one.altered)})" if one.altered else ""
    print_line(f"{one.change:<8}{finding.level:<13} {place.topic}:{place.offset}  {finding.explain}{told}")
