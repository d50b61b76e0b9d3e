"""The vendored SigmaHQ rules, the events beside them, and real events that a rule reads wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest

from connectors.sources.catalogue import KINDS, profile
from connectors.sources.envelope import unpack
from detectors.event import Event
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet

HERE = Path(__file__).parent
RULES = HERE / "sigmahq" / "rules"
Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One event of one rule: whether the rule must find it, and where it stands."""

    rule: str
    name: str
    wanted: bool
    record: Record

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"


@dataclass(frozen=True, slots=True)
class PublicRules:
    """All vendored rules in one set. `ids` are rule ids by the name of the file without its suffix."""

    ruleset: RuleSet
    ids: Mapping[str, str]
    paths: Mapping[str, Path]
    cases: tuple[Case, ...]
    real: tuple[Case, ...]


@pytest.fixture(scope="session")
def public_rules() -> PublicRules:
    paths = {path.stem: path for path in sorted(RULES.rglob("*.yml"))}
    documents = [RuleDocument(str(path), path.read_text(encoding="utf-8")) for path in paths.values()]
    ruleset = RuleSet.load(documents)
    ids = {Path(rule.identity.path).stem: rule.id for rule in ruleset.rules}
    beside = [case for name, path in paths.items() for case in _cases(name, path.with_suffix(".events.json"))]
    real = [case for path in sorted((HERE / "real").glob("*.json")) for case in _cases(path.stem, path)]
    return PublicRules(ruleset, ids, paths, tuple(beside), tuple(real))


@pytest.fixture(scope="session")
def as_event() -> Callable[[bytes], Event]:
    """Read a record's bytes as detect does: the source that recognises it unpacks it to one event."""

    def read(value: bytes) -> Event:
        kind = next(kind for kind in KINDS if profile(kind).recognise(orjson.loads(value)))
        found = unpack(value, profile(kind), "raw", 0, 0)
        assert not found.rejects
        [event] = found.events
        return event

    return read


def _cases(rule: str, path: Path) -> Iterator[Case]:
    found: Mapping[str, list[Record]] = json.loads(path.read_text(encoding="utf-8"))
    for kind, wanted in (("match", True), ("no_match", False), ("missed", False), ("harmless", True)):
        for number, record in enumerate(found.get(kind, []), 1):
            yield Case(rule, f"{kind} {number}", wanted, record)
