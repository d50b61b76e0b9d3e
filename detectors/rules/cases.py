"""The test events beside the rules: what each must match, and look-alikes that it must not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import cast

from detectors.event import Event, Fields
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine, Inspection
from detectors.sigma.groups import Groups
from detectors.sigma.ruleset import RuleSet

SUFFIX = ".events.json"


class CaseFormatError(ValueError):
    """A file of test events cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Test events of one rule file: each case is the raw records of one try, one for a plain rule.

    A case of `match` must give at least one finding (or match) of the rule; one of `no_match` none.
    """

    match: tuple[tuple[Fields, ...], ...]
    no_match: tuple[tuple[Fields, ...], ...]


def parse_cases(path: str, text: str) -> Cases:
    """Return the cases of ``{"match": [...], "no_match": [...]}``; an entry is a record or a list of them.

    Raises CaseFormatError.
    """
    try:
        given = cast("Mapping[str, list[Fields | list[Fields]]]", json.loads(text))
        return Cases(_cases(given["match"]), _cases(given["no_match"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CaseFormatError(f"{path}: no test events: {type(error).__name__}: {error}") from error


def builtin_cases(document: RuleDocument) -> Cases:
    """Return the cases beside a shipped rule. Raises CaseFormatError, also when there are none."""
    path = document.path.removesuffix(".yml") + SUFFIX
    entry = files("detectors.rules").joinpath(path)
    if not entry.is_file():
        raise CaseFormatError(f"{path}: there is no such file")
    return parse_cases(path, entry.read_text(encoding="utf-8"))


def judge(ruleset: RuleSet, rule_id: str, events: Iterable[Event]) -> bool:
    """Return whether the rule or correlation of that id fires on `events`; a correlation runs to its end."""
    part = deciding(ruleset, rule_id)
    engine = Engine(part)
    correlations = [replace(item, quiet=False) for item in part.correlations]
    correlated = any(item.id == rule_id for item in correlations)
    groups = Groups()
    for event in events:
        found = engine.inspect(event)
        if not correlated and _speaks(rule_id, found):
            return True
        groups.take(found.matches)
    return correlated and any(finding.rule_id == rule_id for finding in groups.finals(correlations))


def deciding(ruleset: RuleSet, rule_id: str) -> RuleSet:
    """Return the part of `ruleset` that the verdict on a rule hangs on: to index all takes long."""
    wanted = more = {rule_id}
    while more:
        more = {name for item in ruleset.correlations if item.id in more for name in item.rules} - wanted
        wanted = wanted | more
    rules = tuple(rule for rule in ruleset.rules if rule.id in wanted)
    fed = tuple(item for item in ruleset.correlations if item.id in wanted or rule_id in item.rules)
    return replace(ruleset, rules=rules, correlations=fed)


def _speaks(rule_id: str, found: Inspection) -> bool:
    return any(f.rule_id == rule_id for f in found.findings) or any(m.rule == rule_id for m in found.matches)


def _cases(entries: list[Fields | list[Fields]]) -> tuple[tuple[Fields, ...], ...]:
    return tuple(tuple(entry) if isinstance(entry, list) else (entry,) for entry in entries)
