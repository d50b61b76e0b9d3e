"""The engine with its index, each compiled rule alone, and a plain walk over the tree say the same.

The walk makes every test and skips nothing; the tests of single values are shared, the suite holds those.
"""

from __future__ import annotations

import random

import yaml

from detectors.event import Event, Fields, Json, Locator
from detectors.sigma.conformance import ConformanceSource
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.explanation import explain
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.ruleset import RuleSet

RULES = 400
EVENTS = 250
WORDS = ("a", "b", "ab", "ba", "abc", "A", "1", "10", "", "true", "10.0.0.1", "x y")
PATHS = ("f", "g", "h", "o.p", "o.q", "o.p.r")
KEYS = (
    ("", WORDS),
    ("", (1, 10, 1.5, True, False, None, "a*", "*b", "?", "a*c")),
    ("|contains", WORDS),
    ("|startswith", WORDS),
    ("|endswith", WORDS),
    ("|cased", WORDS),
    ("|neq", WORDS),
    ("|exists", (True, False)),
    ("|gt", (0, 1, 10)),
    ("|lte", (0, 1, 10)),
    ("|re", ("^a", "b$", "a.c", "[0-9]+")),
    ("|cidr", ("10.0.0.0/8", "::/0")),
    ("|fieldref", ("f", "g", "o.q")),
)
CONDITIONS = ("a", "not a", "a and b", "a or b", "a and not b", "not (a or b)", "(a or b) and c", "1 of them")
LEAVES: tuple[Json, ...] = (*WORDS, 1, 10, 1.0, 1.5, 0, True, False, None)


def rule(chance: random.Random, number: int) -> RuleDocument:
    def selection() -> dict[str, object]:
        found: dict[str, object] = {}
        for _ in range(chance.randint(1, 3)):
            modifier, values = chance.choice(KEYS)
            many = modifier != "|exists" and chance.random() < 0.3
            value = chance.sample(values, 2) if many and len(values) > 2 else chance.choice(values)
            found[chance.choice(PATHS) + modifier] = value
        return found

    detection: dict[str, object] = {name: selection() for name in "abc"}
    if chance.random() < 0.1:
        detection["b"] = ["ab", "10"]
    detection["condition"] = chance.choice(CONDITIONS)
    document = {
        "title": f"rule {number}",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "logsource": {"product": "conform"},
        "detection": detection,
    }
    return RuleDocument(f"{number}.yml", yaml.safe_dump(document))


def value(chance: random.Random, depth: int = 0) -> Json:
    roll = chance.random()
    if depth < 3 and roll < 0.12:
        return [value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if depth < 3 and roll < 0.24:
        return {chance.choice("pqr"): value(chance, depth + 1) for _ in range(chance.randint(0, 3))}
    return chance.choice(LEAVES)


def event(chance: random.Random) -> Fields:
    fields: Fields = {name: value(chance) for name in "fgh" if chance.random() < 0.8}
    if chance.random() < 0.8:
        fields["o"] = {name: value(chance) for name in "pq" if chance.random() < 0.8}
    if chance.random() < 0.1:
        fields["o.p"] = value(chance)
    return fields


def test_index_rule_and_tree_agree_on_100_000_pairs() -> None:
    chance = random.Random(2026)
    loaded = RuleSet.load([rule(chance, number) for number in range(RULES)])
    assert loaded.refusals == ()
    source, engine = ConformanceSource({"product": "conform"}), Engine(loaded)
    compiled = {item.id: compile_predicate(item.condition, {}) for item in loaded.rules}
    matched = 0
    for number in range(EVENTS):
        fields = event(chance)
        inspection = engine.inspect(Event(source, 0.0, fields, Locator("t", 0, 0, number)))
        assert not inspection.errors
        indexed = {finding.rule_id for finding in inspection.findings}
        alone = {name for name, holds in compiled.items() if holds(fields)}
        walked = {item.id for item in loaded.rules if explain(item.condition, fields, {}).holds}
        assert indexed == alone == walked, fields
        matched += len(indexed)
    assert RULES * EVENTS == 100_000
    assert 0.05 < matched / (RULES * EVENTS) < 0.6
