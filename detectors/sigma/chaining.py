"""Correlations of correlations: their order, what each passes on, and a finding as the next one's match.

A final finding of one correlation is a match of the next at the time when its condition was first satisfied
(`event_time`), in every group that its own group or, for other fields, its events name. Its events are
those of the finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from detectors.finding import Finding
from detectors.sigma.document import MalformedRuleError, SigmaRuleError, UnsupportedConstructError
from detectors.sigma.match import MAX_ENTITIES, Match, Values
from detectors.sigma.rule import CorrelationRule
from detectors.sigma.values import numeric
from detectors.sigma.window import Held
from detectors.wording import plain

MAX_DEPTH: Final = 5
MAX_GROUPS_A_FINDING: Final = 100


class Ordered(NamedTuple):
    """Ids of correlations, those first that others refer to; and what is refused, by id."""

    names: list[str]
    refused: dict[str, SigmaRuleError]


def in_order(refers: Mapping[str, Sequence[str]], titles: Mapping[str, str]) -> Ordered:
    """Order correlations. `refers` is id -> ids that it refers to, `titles` what to call them.

    Those of a cycle, and those deeper than `MAX_DEPTH`, are refused.
    """
    depth: dict[str, int] = {}
    refused: dict[str, SigmaRuleError] = {}

    for name in refers:
        if found := _cycle(name, refers):
            path = " -> ".join(titles[name] for name in found)
            refused[name] = MalformedRuleError(
                f"the correlation refers to itself: {path}", "Break the circle", titles[found[1]]
            )

    def visit(name: str, above: int) -> int:
        if name in refused or above > len(refers):
            return 0
        if name not in depth:
            depth[name] = 1 + max((visit(below, above + 1) for below in refers[name]), default=0)
        return depth[name]

    for name in refers:
        if visit(name, 0) > MAX_DEPTH:
            refused[name] = UnsupportedConstructError(
                f"correlations of correlations are {depth[name]} deep; {MAX_DEPTH} are evaluated",
                "Leave levels out",
                "rules",
            )
    kept = [name for name in refers if name not in refused]
    return Ordered(sorted(kept, key=lambda name: depth[name]), refused)


def _cycle(start: str, refers: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Return a way from a correlation back to itself."""
    ways: list[list[str]] = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for below in refers[way[-1]]:
            if below == start:
                return [*way, start]
            if below not in seen:
                seen.add(below)
                ways.append([*way, below])
    return None


def check_values(kind: str, value: Sequence[str], below: Sequence[CorrelationRule], token: str) -> None:
    """Refuse what a finding has no single value for. Raises UnsupportedConstructError."""
    for inner in below:
        if missing := [name for name in value if name not in inner.group_by]:
            raise UnsupportedConstructError(
                f"{kind} over {missing[0]!r}, which {inner.identity.title!r} does not group by",
                f"Add {missing[0]} to its group-by",
                token,
            )


def linked(correlations: Sequence[CorrelationRule]) -> tuple[CorrelationRule, ...]:
    """Return correlations, inner ones first, each with the fields that outer ones ask of it, and quiet if so.

    Inner ones must stand first already.
    """
    known = {item.id: item for item in correlations}
    used = {name for item in correlations for name in item.rules if name in known}
    loud = {name for item in correlations if item.generate for name in item.rules}
    for outer_id in [item.id for item in reversed(correlations)]:
        outer = known[outer_id]
        for inner_id in dict.fromkeys(outer.rules):
            inner = known.get(inner_id)
            if inner is None:
                continue
            wanted = [name for name in outer.fields[inner_id] if name not in inner.group_by]
            more = tuple(name for name in dict.fromkeys(wanted) if name not in inner.carried)
            if more:
                known[inner_id] = _carrying(inner, more)
    return tuple(
        replace(item, quiet=True) if item.id in used - loud else item
        for item in (known[item.id] for item in correlations)
    )


def _carrying(rule: CorrelationRule, more: tuple[str, ...]) -> CorrelationRule:
    fields = {
        below: (*names, *(rule.names.get((name, below), name) for name in more))
        for below, names in rule.fields.items()
    }
    return replace(rule, carried=(*rule.carried, *more), fields=fields)


def matches_of(
    outer: CorrelationRule, inner: CorrelationRule, group: Values, finding: Finding, events: Sequence[Held]
) -> Iterator[Match]:
    """Yield a final finding of `inner` as matches of `outer`, one for each group that it belongs to.

    At most `MAX_GROUPS_A_FINDING`: the first in the order of its events.
    """
    read = [_column(inner, name) for name in outer.fields[inner.id]]
    rows = dict.fromkeys(row for item in events for row in (item.evidence.carried or ((),)))
    groups: dict[Values, dict[Values, None]] = {}
    width = len(outer.group_by)
    for row in rows:
        found = tuple(column(group, row) for column in read)
        if found[:width] in groups or len(groups) < MAX_GROUPS_A_FINDING:
            groups.setdefault(found[:width], {})[found[width:]] = None
    value = _value(outer, inner, group)
    for wanted, carried in groups.items():
        yield Match(
            correlation=outer.id,
            rule=inner.id,
            group=wanted,
            event_id=finding.finding_id,
            time=finding.event_time,
            source=finding.source,
            level=finding.level,
            entities=finding.entities[:MAX_ENTITIES],
            summary=plain(finding.explain),
            value=value,
            carried=tuple(carried) if outer.carried else (),
            events=finding.event_ids,
        )


def _column(inner: CorrelationRule, name: str) -> Callable[[Values, Values], str | None]:
    if name in inner.group_by:
        place = inner.group_by.index(name)
        return lambda group, row: group[place]
    place = inner.carried.index(name)
    return lambda group, row: row[place] if place < len(row) else None


def _value(outer: CorrelationRule, inner: CorrelationRule, group: Values) -> str | float | None:
    if not outer.value:
        return None
    texts = [group[inner.group_by.index(name)] for name in outer.value]
    if outer.kind == "value_count":
        return counted(texts)
    number = numeric(texts[0]) if texts[0] is not None else None
    return None if number is None else float(number)


def counted(texts: Sequence[str | None]) -> str | None:
    """Return what value_count counts of these values together; None if one is missing."""
    return None if None in texts else json.dumps(texts, ensure_ascii=True).casefold()


def chained(correlations: Sequence[CorrelationRule]) -> set[str]:
    """Return the ids of correlations that refer, at any depth, to another correlation."""
    known = {item.id for item in correlations}
    return {item.id for item in correlations if known.intersection(item.rules)}
