"""Rules that are blind before any event is seen: no source answers them, or no record can have their fields.

The same three-valued judgement as on data (`daemon.cli.blind`), with what the source's documentation says of
its records in the place of what was met. What is named is blind for certain as far as that goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from connectors.sources.catalogue import profile
from connectors.sources.record_names import RECORD_NAMES
from daemon.cli.blind import Blind, blocking, possible, starved
from detectors.event import LogSource, SourceProfile
from detectors.sigma.path import Derived
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet

AUDIT_LEVELS: Final = ("Metadata", "Request", "RequestResponse")
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "Metadata": frozenset({"requestObject", "responseObject"}),
    "Request": frozenset({"responseObject"}),
    "RequestResponse": frozenset(),
}


class RecordPaths(Collection[str]):
    """The paths that records of a source can have: those below a known name, and what a source computes."""

    def __init__(self, kind: str, audit_level: str) -> None:
        self._names = RECORD_NAMES.get(kind)
        self.left_out = _LEFT_OUT[audit_level] if kind == "kubernetes_audit" else frozenset[str]()

    def __contains__(self, path: object) -> bool:
        if self._names is None or isinstance(path, Derived) or not isinstance(path, str):
            return True
        top = path.partition(".")[0].partition("[")[0]
        return top in self._names - self.left_out

    def __iter__(self) -> Iterator[str]:
        return iter(self._names or ())

    def __len__(self) -> int:
        return len(self._names or ())


_Answering: TypeAlias = tuple[SourceProfile, RecordPaths]


def blind_at_load(ruleset: RuleSet, kinds: Iterable[str], audit_level: str) -> list[Blind]:
    """Return the rules, then the correlations, that no record of `kinds` can satisfy, with the reason.

    `audit_level`: how much of a request the cluster's audit policy keeps, one of `AUDIT_LEVELS`.
    """
    sources: list[_Answering] = [(profile(kind), RecordPaths(kind, audit_level)) for kind in kinds]
    found: dict[str, Blind] = {}
    for rule in ruleset.rules:
        reason = _reason(rule, sources, audit_level)
        if reason is not None:
            found[rule.id] = Blind(rule.id, rule.identity.title, reason)
    for item in ruleset.correlations:
        if starved(item, found):
            names = ", ".join(found[rule].title for rule in item.rules if rule in found)
            found[item.id] = Blind(item.id, item.identity.title, f"rules it needs are blind: {names}")
    return list(found.values())


def by_reason(blind: Iterable[Blind]) -> list[tuple[str, int]]:
    """Return how many rules are blind for each reason, the most common first."""
    return Counter(item.reason for item in blind).most_common()


def _reason(rule: Rule, sources: list[_Answering], audit_level: str) -> str | None:
    answering = [(one, paths) for one, paths in sources if routes(rule.logsource, one)]
    if not answering:
        return f"no source answers the log source {_shown(rule.logsource)}"
    told: list[str] = []
    for one, paths in answering:
        if True in possible(rule.condition, one.aliases, paths):
            return None
        never = sorted(blocking(rule.condition, one.aliases, paths, wanted=True))
        bodies = [path for path in never if path.partition(".")[0] in paths.left_out]
        if bodies:
            told.append(f"{one.kind} at level {audit_level} keeps no {', '.join(bodies)}")
        else:
            told.append(f"no record of {one.kind} has {', '.join(never)}")
    return "; ".join(told)


def _shown(source: LogSource) -> str:
    given = zip(source._fields, source, strict=True)
    return " ".join(f"{name}={value}" for name, value in given if value is not None)
