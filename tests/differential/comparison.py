"""One round of the comparison: rules and events of a seed, and what each of the four readers says of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import alphabet
import yaml
from event_maker import EventMaker
from known_differences import reason
from oracle import Oracle
from rule_maker import RuleMaker

from detectors.event import Event, Locator
from detectors.sigma.conformance import ConformanceSource
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.explanation import explain
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.ruleset import RuleSet

SIZES = ((25, 800), (5, 1000), (100, 250), (40, 500), (1, 2000))
"""Rules and events of the rounds, in turn: the index sorts few rules and many rules differently."""
TEXTS_A_ROUND = 30
EXPLAINED_EVENTS = 2


class RandomSource(ConformanceSource):
    """A source with aliases, whose events are random."""

    aliases: Mapping[str, str] = alphabet.ALIASES

    def event_id(self, event: Event) -> str:
        """Return the event's place: a random record's `id` is anything."""
        return str(event.locator)


@dataclass
class Tally:
    """What was counted: pairs, and answers that differ."""

    pairs: int = 0
    matched: int = 0
    rounds: int = 0
    asked_sqlite: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    unexplained: list[str] = field(default_factory=list[str])


class Round:
    """The rules and events of one seed."""

    def __init__(self, seed: int) -> None:
        rules, events = SIZES[seed % len(SIZES)]
        chance = random.Random(seed)
        texts = chance.sample(alphabet.TEXTS, TEXTS_A_ROUND)
        maker = RuleMaker(chance, texts)
        made = [maker.rule(number, "conform") for number in range(rules)]
        written = [yaml.safe_dump(rule.document, allow_unicode=True) for rule in made]
        self.seed = seed
        self.documents: list[dict[str, Any]] = [yaml.safe_load(text) for text in written]
        self.ruleset = RuleSet.load(
            [RuleDocument(f"{number}.yml", text) for number, text in enumerate(written)],
            alphabet.PLACEHOLDERS,
        )
        self.oracles = [
            Oracle(document, alphabet.ALIASES, alphabet.PLACEHOLDERS) for document in self.documents
        ]
        near = [example for rule in made for example in rule.examples]
        events_of = EventMaker(chance, texts, near)
        self.events = [events_of.event() for _ in range(events)]

    def run(self, tally: Tally, *, sqlite: bool) -> None:
        """Compare all, and count into `tally`."""
        tally.rounds += 1
        tally.unexplained += [f"seed {self.seed}: refused {item}" for item in self.ruleset.refusals]
        truth = [frozenset(n for n, oracle in enumerate(self.oracles) if oracle(e)) for e in self.events]
        tally.pairs += len(self.documents) * len(self.events)
        tally.matched += sum(map(len, truth))
        self._index_on(truth, tally)
        self._index_off(truth, tally)
        self._explained(truth, tally)
        if sqlite:
            self._sqlite(truth, tally)

    def _index_on(self, truth: Sequence[frozenset[int]], tally: Tally) -> None:
        source, engine = RandomSource({"product": "conform"}), Engine(self.ruleset)
        for number, (fields, wanted) in enumerate(zip(self.events, truth, strict=True)):
            inspection = engine.inspect(Event(source, 0.0, fields, Locator("t", 0, 0, number)))
            found = frozenset(int(finding.rule_id[-12:]) for finding in inspection.findings)
            self._note("index on", found ^ wanted, fields, tally)
            tally.unexplained += [f"seed {self.seed}: {error} on {fields}" for error in inspection.errors]

    def _index_off(self, truth: Sequence[frozenset[int]], tally: Tally) -> None:
        for rule in self.ruleset.rules:
            number = int(rule.id[-12:])
            holds = compile_predicate(rule.condition, alphabet.ALIASES)
            for fields, wanted in zip(self.events, truth, strict=True):
                if holds(fields) is not (number in wanted):
                    self._note("index off", {number}, fields, tally)

    def _explained(self, truth: Sequence[frozenset[int]], tally: Tally) -> None:
        for fields, wanted in list(zip(self.events, truth, strict=True))[:EXPLAINED_EVENTS]:
            for rule in self.ruleset.rules:
                number = int(rule.id[-12:])
                if explain(rule.condition, fields, alphabet.ALIASES).holds is not (number in wanted):
                    self._note("explanation", {number}, fields, tally)

    def _note(self, what: str, numbers: set[int] | frozenset[int], fields: object, tally: Tally) -> None:
        for number in sorted(numbers):
            detection = self.documents[number]["detection"]
            tally.unexplained.append(f"seed {self.seed}: {what} differs: {detection} on {fields}")

    def _sqlite(self, truth: Sequence[frozenset[int]], tally: Tally) -> None:
        from sqlite_oracle import Database

        database = Database(self.events, alphabet.PATHS, alphabet.ALIASES, alphabet.PLACEHOLDERS)
        for number, document in enumerate(self.documents):
            found = None if "sigma-version" in document else database.matched(document)
            if found is None:
                continue
            tally.asked_sqlite += len(self.events)
            wanted = {place for place, matching in enumerate(truth) if number in matching}
            if differing := found ^ wanted:
                lines = _Lines(document, self.oracles[number], database)
                for place in sorted(differing):
                    names = lines.differing(place, self.events[place])
                    if names:
                        tally.reasons.update(names)
                    else:
                        self._note("sqlite", {number}, self.events[place], tally)
        database.close()


class _Lines:
    """The lines of one rule's selections, each asked alone."""

    def __init__(self, document: Mapping[str, Any], oracle: Oracle, database: Any) -> None:
        self._lines: list[tuple[str, Any, Any, frozenset[int]]] = []
        for name, search in document["detection"].items():
            for part in search if isinstance(search, list) else [search]:
                if name == "condition" or not isinstance(part, dict):
                    continue
                for key, value in part.items():
                    if key.startswith("|"):
                        continue  # keywords; SQL has none, so no rule with them is asked
                    alone = {**document, "detection": {"a": {key: value}, "condition": "a"}}
                    found = database.matched(alone) or frozenset()
                    self._lines.append((key, value, oracle.item(key, value), found))

    def differing(self, place: int, fields: Mapping[str, Any]) -> set[str]:
        """Return the names of what differs on one event; empty when a line differs without a name."""
        names: set[str] = set()
        for key, value, holds, found in self._lines:
            if (place in found) is not holds(fields):
                known = reason(key, value, fields, alphabet.ALIASES)
                if known is None:
                    return set()
                names.add(known)
        if not names and any("cidr" in key.split("|") for key, *_ in self._lines):
            names.add("cidr unbracketed")
        return names
