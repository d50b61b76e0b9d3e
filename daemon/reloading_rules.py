"""The rules of detect and correlate as something that can be read again.

A reload is taken whole or not at all: a file that was fine and is refused now would take its rule out of
force, so such a set is refused, and the one in force stays. At the start refusals are only said.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import orjson

from config.detection import Detection
from config.errors import ConfigurationError, Problem
from daemon.holding import Holding, files_of
from daemon.rule_loader import LoadReport, RuleLoader
from daemon.rule_paths import rule_files, state_of
from daemon.ruleset import loader, logged
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.state import awake
from detectors.sigma.document import Refusal
from detectors.sigma.rule import CorrelationRule, Identity, Rule
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.stored import to_data
from detectors.sigma.stored_value import UnstorableError
from detectors.sigma.streaming import streamed


class StreamRules:
    """Loads the rules that run on a stream, again and again; what did not change is not compiled twice."""

    def __init__(self, detection: Detection) -> None:
        """Raises ConfigurationError for a pipeline that cannot be used."""
        self._detection = detection
        self._prepared = self._preparing()
        self._loader: RuleLoader = loader(detection)
        self._known: Counter[tuple[str, str | None]] | None = None
        self._digests = Digests()
        self.digest = ""
        self.gate = Gate()

    def load(self, touched: Collection[str] | None = None) -> tuple[RuleSet, LoadReport]:
        """Load all that is there now. Raises ConfigurationError: the set that was returned last is to stay.

        `touched`: see `RuleLoader.load`. `gate` is then what belongs to the set: exceptions and states.
        """
        holding = Holding.read(self._detection)
        prepared = self._preparing()
        using = self._loader if prepared == self._prepared else loader(self._detection)
        loaded, report = using.load(touched)
        loaded = awake(streamed(loaded), holding.standings)
        refused = _by_place(loaded.refusals)
        if self._known is None:
            logged(loaded)
        elif new := refused - self._known:
            raise ConfigurationError([_problem(one) for one in loaded.refusals if _place(one) in new])
        self._loader, self._prepared, self._known = using, prepared, refused
        self.gate = holding.gate
        self.digest = _with(self._digests.of(loaded), holding.digest)
        return loaded, report

    def look(self) -> object:
        """Return the states of all files that a load reads, or why they cannot be listed."""
        try:
            found: object = tuple(rule_files(self._detection.rules))
        except ConfigurationError as error:
            found = str(error)
        return found, self._preparing(), files_of(self._detection)

    def _preparing(self) -> object:
        detection = self._detection
        paths = (*detection.pipelines, *detection.placeholder_sources.file, *detection.inventory)
        return tuple((str(path), state_of(Path(path))) for path in paths)


def _with(digest: str, held: str) -> str:
    """Return the digest of rules and of what holds their findings back; of the rules alone for nothing."""
    return hashlib.sha256(f"{digest}{held}".encode()).hexdigest()[:16] if held else digest


class Digests:
    """Names a rule set by its meaning; what two sets share is not looked at twice."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Rule | CorrelationRule, bytes]] = {}

    def of(self, ruleset: RuleSet) -> str:
        """Return 16 hex digits: the same for the same rules, in any order, from any folder."""
        known: dict[str, tuple[Rule | CorrelationRule, bytes]] = {}
        for item in (*ruleset.rules, *ruleset.correlations):
            before = self._known.get(item.id)
            same = before is not None and _same(before[0], item)
            known[item.id] = item, before[1] if before is not None and same else _digest(item)
        self._known = known
        whole = hashlib.sha256(b"".join(known[name][1] for name in sorted(known)))
        return whole.hexdigest()[:16]


def _same(old: Rule | CorrelationRule, new: Rule | CorrelationRule) -> bool:
    if not (isinstance(old, Rule) and isinstance(new, Rule)):
        return old is new
    parts = old.identity is new.identity and old.condition is new.condition
    return parts and (old.quiet, old.logsource) == (new.quiet, new.logsource)


def _digest(item: Rule | CorrelationRule) -> bytes:
    if isinstance(item, Rule):
        try:
            condition = to_data(item.condition)
        except UnstorableError:
            condition = None
        meaning: list[object] = [_said(item.identity), list(item.logsource), condition, item.quiet]
    else:
        meaning = [_said(item.identity), definition(item), item.timespan_s, [list(b) for b in item.bounds]]
        meaning += [item.generate, item.percentile, repr(item.required), item.quiet]
    return hashlib.sha256(orjson.dumps(meaning)).digest()


def _said(identity: Identity) -> list[object]:
    """Return what a finding says of a rule: all but where its file lies."""
    return [
        *(identity.id, identity.name, identity.title, identity.description, identity.level),
        *(list(identity.attack), list(identity.tags), list(identity.falsepositives)),
        *(list(identity.references), identity.version, identity.playbook),
    ]


def definition(rule: CorrelationRule) -> list[object]:
    """Return what the state of a group depends on: what is held of which events in which group."""
    fields = sorted((name, list(of)) for name, of in rule.fields.items())
    names = sorted([*key, name] for key, name in rule.names.items())
    listed = [list(rule.rules), list(rule.group_by), fields, list(rule.value), list(rule.carried), names]
    return [rule.kind, rule.identity.version, *listed]


def _by_place(refusals: Iterable[Refusal]) -> Counter[tuple[str, str | None]]:
    return Counter(_place(refusal) for refusal in refusals)


def _place(refusal: Refusal) -> tuple[str, str | None]:
    """Return a file and an id: its lines may have moved."""
    return refusal.path, refusal.rule_id


def _problem(refusal: Refusal) -> Problem:
    place = refusal.path if refusal.line is None else f"{refusal.path}:{refusal.line}"
    return Problem(place, "", f"{refusal.reason}. {refusal.way_out}")
