"""Real events that a public rule misses or finds wrongly, as `README.md` says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from detectors.event import Event
from detectors.sigma.engine import Engine

HERE = Path(__file__).parent
TABLE = re.compile(r"^\| `([a-z0-9_]+)` \| (.+?) \| ", re.M)


def test_real_events_are_missed_and_found_as_the_table_says(
    public_rules: Any, as_event: Callable[[bytes], Event]
) -> None:
    engine = Engine(public_rules.ruleset)
    for case in public_rules.real:
        found = {f.rule_id for f in engine.inspect(as_event(orjson.dumps(case.record))).findings}
        assert (public_rules.ids[case.rule] in found) is case.wanted, case


def test_the_table_names_exactly_the_rules_that_have_such_events(public_rules: Any) -> None:
    written = {(rule, kind) for rule, kinds in _table() for kind in re.findall(r"misses|harmless", kinds)}
    kinds = {"missed": "misses", "harmless": "harmless"}
    assert written == {(case.rule, kinds[case.name.split()[0]]) for case in public_rules.real}


def test_every_rule_in_the_table_is_here(public_rules: Any) -> None:
    rules = [rule for rule, _ in _table()]
    assert len(rules) == len(set(rules)) >= 25
    assert set(rules) <= set(public_rules.paths)


def test_every_author_is_named_and_the_licence_is_here(public_rules: Any) -> None:
    attribution = (HERE / "sigmahq" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for name, path in public_rules.paths.items():
        [author] = re.findall(r"^author: (.+)$", path.read_text(encoding="utf-8"), re.M)
        row = next(line for line in attribution.splitlines() if f"`{name}`" in line)
        assert author.strip("'\" ") in row
    licence = (HERE / "sigmahq" / "LICENSE.md").read_text(encoding="utf-8")
    assert licence.startswith("# Detection Rule License (DRL) 1.1")


def _table() -> list[tuple[str, str]]:
    return TABLE.findall((HERE / "README.md").read_text(encoding="utf-8"))
