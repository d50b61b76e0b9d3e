"""The test events beside the rules: what each must match, and look-alikes that it must not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import cast

from detectors.event import Event, Fields
from detectors.sigma.correlation import advance
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine, Inspection
from detectors.sigma.match import Match
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
    engine = Engine(ruleset)
    correlation = ruleset.correlation(rule_id)
    groups: dict[str, list[Match]] = {}
    for event in events:
        found = engine.inspect(event)
        if correlation is None and _speaks(rule_id, found):
            return True
        for match in found.matches:
            if match.correlation == rule_id:
                groups.setdefault(match.key(), []).append(match)
    return correlation is not None and any(
        advance(correlation, {}, group, math.inf).findings for group in groups.values()
    )


def _speaks(rule_id: str, found: Inspection) -> bool:
    return any(f.rule_id == rule_id for f in found.findings) or any(m.rule == rule_id for m in found.matches)


def _cases(entries: list[Fields | list[Fields]]) -> tuple[tuple[Fields, ...], ...]:
    return tuple(tuple(entry) if isinstance(entry, list) else (entry,) for entry in entries)
