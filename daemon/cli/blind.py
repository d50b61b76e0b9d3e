"""Blind rules: those that no event of some data can satisfy, because fields they need never occur in it.

A condition is judged three-valued: a test of a field that never occurs has the one verdict that it has for
a missing field; every other test may come out either way. A rule that cannot come out true is blind. So a
rule named here is blind for certain on this data; one that is not named may still never match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from detectors.event import Event, SourceProfile
from detectors.sigma.condition import And, Condition, Element, Leaf, Not, Or, Reference
from detectors.sigma.path import MISSING, lookup
from detectors.sigma.rule import AllOf, AnyOf, CorrelationRule, Required, Rule, Seen, routes
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.values import value_test

_BODIES: Final = ("requestObject", "responseObject")
_BODILESS: Final = frozenset({"None", "Metadata"})
_EITHER: Final = frozenset({True, False})


@dataclass(frozen=True, slots=True)
class Blind:
    """A rule or correlation that the data can never satisfy, and why, in one sentence."""

    rule_id: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Presence:
    """What occurred in some data: how many events, which of the asked paths, which audit levels."""

    events: int
    paths: frozenset[str]
    levels: frozenset[str]

    @property
    def bodiless(self) -> bool:
        """Whether the data has audit levels and none of them keeps request bodies."""
        return bool(self.levels) and self.levels <= _BODILESS


def observe(events: Iterable[Event], wanted: Collection[str]) -> Presence:
    """Return which of the `wanted` paths occur in `events`, in one pass."""
    waiting = {path: lookup(path) for path in wanted}
    found: set[str] = set()
    levels: set[str] = set()
    count = 0
    for event in events:
        count += 1
        fields = event.fields
        present = [path for path, read in waiting.items() if read(fields) is not MISSING]
        for path in present:
            del waiting[path]
        found.update(present)
        level = fields.get("level")
        if isinstance(level, str) and event.source == "kubernetes_audit":
            levels.add(level)
    return Presence(count, frozenset(found), frozenset(levels))


def paths_of(ruleset: RuleSet, profile: SourceProfile) -> frozenset[str]:
    """Return every path that the rules for this source ask for."""
    routed = (rule for rule in ruleset.rules if routes(rule.logsource, profile))
    return frozenset(path for rule in routed for path in _paths(rule.condition, profile.aliases))


def blind_rules(ruleset: RuleSet, profile: SourceProfile, seen: Presence) -> list[Blind]:
    """Return the rules for this source, then the correlations of them, that the data can never satisfy."""
    found: dict[str, Blind] = {}
    for rule in ruleset.rules:
        if not routes(rule.logsource, profile):
            continue
        if True not in possible(rule.condition, profile.aliases, seen.paths):
            identity = rule.identity
            found[rule.id] = Blind(rule.id, identity.title, _reason(rule, profile.aliases, seen))
    for item in ruleset.correlations:
        if starved(item, found):
            names = ", ".join(found[rule].title for rule in item.rules if rule in found)
            found[item.id] = Blind(item.id, item.identity.title, f"rules it needs are blind: {names}")
    return list(found.values())


def starved(item: CorrelationRule, blind: Mapping[str, Blind]) -> bool:
    """Return whether a correlation can never fire because rules that it needs are blind."""
    out = [rule in blind for rule in item.rules]
    if item.required is not None:
        return not _reachable(item.required, out)
    return any(out) if item.kind in ("temporal", "temporal_ordered") else all(out)


def _reachable(required: Required, out: list[bool]) -> bool:
    match required:
        case Seen(place):
            return not out[place]
        case AllOf(parts):
            return all(_reachable(part, out) for part in parts)
        case AnyOf(parts):
            return any(_reachable(part, out) for part in parts)
        case _:
            return True


def possible(node: Condition, aliases: Mapping[str, str], present: Collection[str]) -> frozenset[bool]:
    """Return the verdicts that a condition can come to, when only the paths `present` can occur."""
    match node:
        case And(parts):
            found = [possible(part, aliases, present) for part in parts]
            return _verdicts(all(True in one for one in found), any(False in one for one in found))
        case Or(parts):
            found = [possible(part, aliases, present) for part in parts]
            return _verdicts(any(True in one for one in found), all(False in one for one in found))
        case Not(part):
            return frozenset(not verdict for verdict in possible(part, aliases, present))
        case Leaf(path, values) if aliases.get(path, path) not in present:
            return frozenset((value_test(values)(MISSING),))
        case Element(path, str(quantifier), _) if aliases.get(path, path) not in present:
            return frozenset((quantifier in ("all_or_empty", "none"),))
        case Reference() if any(path not in present for path in _paths(node, aliases)):
            return frozenset((False,))
        case _:
            return _EITHER


def _verdicts(true: bool, false: bool) -> frozenset[bool]:
    return frozenset(verdict for verdict, can in ((True, true), (False, false)) if can)


def _paths(node: Condition, aliases: Mapping[str, str]) -> Iterator[str]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _paths(part, aliases)
        case Not(part):
            yield from _paths(part, aliases)
        case Leaf(path, _) | Element(path, _, _):
            yield aliases.get(path, path)
        case Reference(path, other, _, _):
            yield from (aliases.get(path, path), aliases.get(other, other))
        case _:
            return


def _reason(rule: Rule, aliases: Mapping[str, str], seen: Presence) -> str:
    never = sorted(blocking(rule.condition, aliases, seen.paths, wanted=True))
    told = f"never in this data: {', '.join(never)}"
    if seen.bodiless and any(path.split(".")[0] in _BODIES for path in never):
        return f"{told}; the audit level is {' and '.join(sorted(seen.levels))}, which keeps no bodies"
    return told


def blocking(
    node: Condition, aliases: Mapping[str, str], present: Collection[str], *, wanted: bool
) -> frozenset[str]:
    """Return the absent paths that keep `node` from coming out `wanted`."""
    if wanted in possible(node, aliases, present):
        return frozenset()
    match node:
        case And(parts) | Or(parts):
            return frozenset[str]().union(*(blocking(p, aliases, present, wanted=wanted) for p in parts))
        case Not(part):
            return blocking(part, aliases, present, wanted=not wanted)
        case _:
            return frozenset(path for path in _paths(node, aliases) if path not in present)
