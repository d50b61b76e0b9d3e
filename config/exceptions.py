"""A site's exceptions: which findings are known and no alert, for whom, by whose word and until when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from config.document import Document
from config.entry import Entry
from config.errors import ConfigurationError, Problem

MAX_ENTRIES: Final = 1000
MAX_RULES: Final = 200
MAX_ENTITIES: Final = 20
MAX_IDS: Final = 200
MAX_DAYS: Final = 365
ROLES: Final = ("actor", "target", "source")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_RULE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z|davylamp-[a-z0-9-]{1,56}\Z")
_KEYS: Final = ("rules", "entities", "owner", "reason", "ticket", "from", "expires")
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class EntitySetting:
    """Entities of a type and, if given, of a role, by id."""

    type: str
    ids: tuple[str, ...]
    role: str | None


@dataclass(frozen=True, slots=True)
class ExceptionSetting:
    """One exception as written. `rules` None: all. Times in seconds (UTC); `place` is ``file:line``."""

    name: str
    rules: tuple[str, ...] | None
    entities: tuple[EntitySetting, ...]
    owner: str
    reason: str
    ticket: str
    start: float
    end: float
    place: str


def read_exceptions(paths: Iterable[Path], types: Collection[str]) -> tuple[ExceptionSetting, ...]:
    """Return the exceptions of all files, in their order; `types` are the entity types that there are.

    Raises ConfigurationError with every problem of every file, each with file, line and key.
    """
    found: dict[str, ExceptionSetting] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            document = Document.read(path)
        except ConfigurationError as error:
            problems += error.problems
            continue
        for key in document.tree:
            name = str(key)
            entry = Entry(document, (key,), problems)
            if not _NAME.match(name):
                entry.wrong((), "is no name: small letters, digits and -, at most 64 characters")
            elif name in found:
                entry.wrong((), f"is taken by {found[name].place}")
            elif (one := _setting(entry, name, types)) is not None:
                found[name] = one
    if len(found) > MAX_ENTRIES:
        problems.append(Problem("exceptions", "", f"{len(found)} entries, at most {MAX_ENTRIES} are read"))
    if problems:
        raise ConfigurationError(problems)
    return tuple(found.values())


def _setting(entry: Entry, name: str, types: Collection[str]) -> ExceptionSetting | None:
    before = len(entry.problems)
    entry.only(_KEYS)
    rules, entities = _rules(entry), _entities(entry, types)
    owner, reason, ticket = entry.text("owner", 200), entry.text("reason", 1000), entry.text("ticket", 200)
    start, end = entry.time("from"), entry.time("expires")
    if start is not None and end is not None:
        if end <= start:
            entry.wrong(("expires",), "is not after `from`")
        elif end - start > MAX_DAYS * _DAY_S:
            days = (end - start) / _DAY_S
            entry.wrong(("expires",), f"is {days:.0f} days after `from`, at most {MAX_DAYS} are allowed")
    if len(entry.problems) > before or start is None or end is None:
        return None
    return ExceptionSetting(name, rules, entities, owner, reason, ticket, start, end, entry.place)


def _rules(entry: Entry) -> tuple[str, ...] | None:
    given = entry.tree.get("rules")
    if given == "all":
        return None
    rules = cast("list[object]", given) if isinstance(given, list) else []
    if not 0 < len(rules) <= MAX_RULES:
        entry.wrong(("rules",), f"must be `all` or a list of 1 to {MAX_RULES} rule ids")
    for place, one in enumerate(rules):
        if not isinstance(one, str) or not _RULE.match(one):
            entry.wrong(("rules", place), f"{str(one)[:60]!r} is no rule id (davylamp rules list shows them)")
    return tuple(str(one) for one in rules)


def _entities(entry: Entry, types: Collection[str]) -> tuple[EntitySetting, ...]:
    given = entry.tree.get("entities")
    listed = cast("list[object]", given) if isinstance(given, list) else []
    if not 0 < len(listed) <= MAX_ENTITIES:
        told = f"must be a list of 1 to {MAX_ENTITIES}: an exception for everybody would switch a rule off"
        entry.wrong(("entities",), told)
        return ()
    return tuple(
        _entity(Entry(entry.document, (*entry.path, "entities", place), entry.problems), types)
        for place in range(len(listed))
    )


def _entity(entry: Entry, types: Collection[str]) -> EntitySetting:
    entry.only(("type", "id", "role"))
    kind = str(entry.tree.get("type"))
    if kind not in types:
        entry.wrong(("type",), f"is none of {', '.join(sorted(types))}")
    role = entry.tree.get("role")
    if role is not None and role not in ROLES:
        entry.wrong(("role",), f"is none of {', '.join(ROLES)}; leave it out for any")
    given = entry.tree.get("id")
    ids = cast("list[object]", given) if isinstance(given, list) else [given]
    if len(ids) > MAX_IDS:
        entry.wrong(("id",), f"holds {len(ids)} ids, at most {MAX_IDS}")
    for place, one in enumerate(ids):
        at = ("id", place) if isinstance(given, list) else ("id",)
        if not isinstance(one, str | int) or isinstance(one, bool) or not 0 < len(str(one)) <= 512:
            entry.wrong(at, "must be a text of at most 512 characters")
        elif not str(one).strip("*?:/.- ") or str(one).endswith("/0"):
            entry.wrong(
                at, f"{one!r} stands for everybody; an exception for everybody would switch a rule off"
            )
    return EntitySetting(kind, tuple(str(one) for one in ids), None if role is None else str(role))
