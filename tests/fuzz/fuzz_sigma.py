"""Rule documents and events, both at random: `{"rules": [..], "events": [..]}`, or the text of a rule file.

Whatever comes in: the loader says what it refuses and why, the engine answers, its index skips no rule that
matches alone, and every finding can be written.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import seeds  # noqa: F401  (the fuzzer and its test read it from here)
import yaml

from detectors.event import Event, Locator
from detectors.sigma.conformance import ConformanceSource
from detectors.sigma.conformance_case import Case, parse
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.groups import Groups
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.ruleset import RuleSet

CASES = Path(__file__).parents[1] / "conformance"
BREACHES = Path(__file__).parent / "sigma_breaches.jsonl"
"""What broke it once, an input a line."""
EVERY = 20
"""Of the suite's cases one in so many is a seed: there are two thousand."""
SECONDS = 4.0
"""CPU time for one input of a few KiB, also where every line is instrumented."""
PLACEHOLDERS = {"servers": ["a", "b*"], "admins": ["root"]}


def values() -> Iterator[bytes]:
    """Yield what broke it once, and rules with their events out of the conformance suite, as JSON or YAML."""
    yield from BREACHES.read_bytes().splitlines()
    for number, case in enumerate(_cases()[::EVERY]):
        if number % 8 == 0:
            yield "\n---\n".join(case.documents).encode()
            continue
        rules = [item for text in case.documents for item in _loaded(text)]
        yield json.dumps({"rules": rules, "events": list(case.events)}, default=str).encode()


@functools.cache
def _cases() -> list[Case]:
    files = sorted(CASES.rglob("*.yml"))
    return [case for file in files for case in parse(file.stem, file.read_text(encoding="utf-8"))]


def target(data: bytes) -> None:
    """Load the rules and show them the events. Raises on any breach."""
    began = time.process_time()
    documents, events = _parts(data)
    loaded = RuleSet.load(documents, PLACEHOLDERS)
    for refusal in loaded.refusals:
        assert refusal.reason and refusal.way_out, refusal
    engine, source = Engine(loaded), ConformanceSource({"product": "conform"})
    groups = Groups()
    alone = {item.id: compile_predicate(item.condition, {}) for item in loaded.rules if not item.quiet}
    for place, fields in enumerate(events):
        at = fields.get("time")
        moment = float(at) if isinstance(at, int | float) and abs(at) < 1e12 else 0.0
        inspection = engine.inspect(Event(source, moment, fields, Locator("f", 0, 0, place)))
        groups.take(inspection.matches)
        failed = {error.rule_id for error in inspection.errors}
        found = {finding.rule_id for finding in inspection.findings}
        _written(inspection.findings)
        for name, holds in alone.items():
            if name not in failed and name not in found and _routed(loaded, name):
                assert not holds(fields), f"{name} matches alone and was not found"
    _written(groups.finals(loaded.correlations))
    assert time.process_time() - began < SECONDS, f"{len(data)} bytes took too long"


def _loaded(text: str) -> list[Any]:
    try:
        return [item for item in yaml.safe_load_all(text) if item is not None]
    except yaml.YAMLError:
        return []


def _parts(data: bytes) -> tuple[list[RuleDocument], list[dict[str, Any]]]:
    try:
        given = orjson.loads(data)
    except orjson.JSONDecodeError:
        return [RuleDocument("text.yml", data.decode("utf-8", "replace"))], [{"f": "a"}]
    rules = given.get("rules") if isinstance(given, dict) else [given]
    events = given.get("events") if isinstance(given, dict) else []
    listed = rules if isinstance(rules, list) else [rules]
    shown = events if isinstance(events, list) else [events]
    documents = [
        RuleDocument(f"{place}.yml", json.dumps(item, ensure_ascii=False))
        for place, item in enumerate(listed)
    ]
    return documents, [item for item in shown if isinstance(item, dict)]


def _routed(loaded: RuleSet, name: str) -> bool:
    """Return whether a rule is for the events' log source."""
    [source] = [item.logsource for item in loaded.rules if item.id == name]
    return source.service is None and source.category is None and (source.product or "conform") == "conform"


def _written(findings: Any) -> None:
    for finding in findings:
        assert finding.explain.isprintable()
        orjson.dumps(finding.to_json())
