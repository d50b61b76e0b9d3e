"""A site's word on the state of rules: draft, shadow, live, retired, since when and by whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.document import Document
from config.entry import Entry
from config.errors import ConfigurationError, Problem

STATES: Final = ("draft", "shadow", "live", "retired")
MAX_ENTRIES: Final = 50_000
_KEYS: Final = ("state", "since", "by", "reason", "evidence")
_RULE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z|davylamp-[a-z0-9-]{1,56}\Z")


@dataclass(frozen=True, slots=True)
class StandingSetting:
    """The state of one rule as written; `since` in seconds (UTC), `place` is ``file:line``."""

    state: str
    since: float
    by: str
    reason: str
    place: str


def read_lifecycle(paths: Iterable[Path], states: Sequence[str] = STATES) -> dict[str, StandingSetting]:
    """Return rule id -> state of all files.

    Raises ConfigurationError with every problem of every file, each with file, line and key; a rule that
    is named twice is one.
    """
    found: dict[str, StandingSetting] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            document = Document.read(path)
        except ConfigurationError as error:
            problems += error.problems
            continue
        if len(document.tree) > MAX_ENTRIES:
            problems.append(Problem(str(path), "", f"holds more than {MAX_ENTRIES} rules"))
            continue
        for key in document.tree:
            entry = Entry(document, (key,), problems)
            one = _setting(entry, str(key), states)
            if str(key) in found:
                entry.wrong((), f"is given by {found[str(key)].place} too; keep one")
            found[str(key)] = one
    if problems:
        raise ConfigurationError(problems)
    return found


def _setting(entry: Entry, rule_id: str, states: Sequence[str]) -> StandingSetting:
    if not _RULE.match(rule_id):
        entry.wrong((), "is no rule id (davylamp rules list shows them)")
    entry.only(_KEYS)
    state = entry.tree.get("state")
    if state not in states:
        entry.wrong(("state",), f"is none of {', '.join(states)}")
    since = entry.time("since")
    by, reason = entry.text("by", 200), entry.text("reason", 1000, needed=False)
    entry.text("evidence", 2000, needed=False)
    return StandingSetting(str(state), since or 0.0, by, reason, entry.place)
