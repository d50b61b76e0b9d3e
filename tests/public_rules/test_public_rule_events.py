"""Every public AWS and Kubernetes rule of SigmaHQ: it finds its events and leaves look-alikes alone.

All rules are loaded together, so that each event meets every rule; verdicts are taken with the index on
(the engine) and off (each rule's predicate, one after the other), from the bytes of a record on.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from connectors.sources.catalogue import profile
from connectors.sources.files import read_events
from detectors.event import Event
from detectors.sigma.engine import Engine
from detectors.sigma.predicate import Predicate, compile_predicate
from detectors.sigma.rule import routes
from detectors.sigma.ruleset import RuleSet

ENVELOPES = {
    "cloudtrail": lambda records: {"Records": records},
    "kubernetes_audit": lambda records: {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "items": records,
    },
}


def alone(ruleset: RuleSet, kind: str) -> dict[str, Predicate]:
    """Return each rule of a source by its id, to be judged alone."""
    source = profile(kind)
    routed = (rule for rule in ruleset.rules if routes(rule.logsource, source))
    return {rule.id: compile_predicate(rule.condition, source.aliases) for rule in routed}


def with_index(engine: Engine, event: Event) -> set[str]:
    found = engine.inspect(event)
    assert not found.errors
    return {finding.rule_id for finding in found.findings}


def test_every_public_rule_is_here_and_loads(public_rules: Any) -> None:
    folders = Counter(path.parent.name for path in public_rules.paths.values())
    assert folders == {"cloudtrail": 57, "audit": 16}
    assert [str(refusal) for refusal in public_rules.ruleset.refusals] == []
    assert set(public_rules.ids) == set(public_rules.paths)


def test_every_rule_has_events_to_find_and_events_to_leave_alone(public_rules: Any) -> None:
    kinds = Counter((case.rule, case.wanted) for case in public_rules.cases)
    assert [name for name in public_rules.paths if not kinds[name, True]] == []
    assert [name for name in public_rules.paths if kinds[name, False] < 2] == []


def test_each_event_gets_its_verdict_with_the_index_and_without(
    public_rules: Any, as_event: Callable[[bytes], Event]
) -> None:
    engine, wrong = Engine(public_rules.ruleset), []
    judges = {kind: alone(public_rules.ruleset, kind) for kind in ENVELOPES}
    for case in public_rules.cases:
        event = as_event(orjson.dumps(case.record))
        found = with_index(engine, event)
        assert found == {name for name, holds in judges[event.source].items() if holds(event.fields)}, case
        if (public_rules.ids[case.rule] in found) is not case.wanted:
            wrong.append(str(case))
    assert wrong == []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_events_changes_no_verdict(
    public_rules: Any, as_event: Callable[[bytes], Event], seed: int
) -> None:
    """The engine remembers sorts of events; what it has seen before must not matter."""
    engine, cases = Engine(public_rules.ruleset), [*public_rules.cases, *public_rules.real] * 3
    random.Random(seed).shuffle(cases)
    for case in cases:
        verdict = public_rules.ids[case.rule] in with_index(engine, as_event(orjson.dumps(case.record)))
        assert verdict is case.wanted, case


@pytest.mark.parametrize("kind", sorted(ENVELOPES))
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_verdicts_are_the_same_out_of_a_file_and_its_envelope(
    public_rules: Any, tmp_path: Path, kind: str, packed: bool
) -> None:
    cases = [case for case in public_rules.cases if profile(kind).recognise(case.record)]
    text = orjson.dumps(ENVELOPES[kind]([case.record for case in cases]))
    path = tmp_path / "events.json"
    path.write_bytes(gzip.compress(text) if packed else text)
    events = list(read_events(path, profile(kind)))
    assert len(events) == len(cases) > 40
    engine = Engine(public_rules.ruleset)
    for case, event in zip(cases, events, strict=True):
        assert isinstance(event, Event)
        assert (public_rules.ids[case.rule] in with_index(engine, event)) is case.wanted, case


def test_look_alikes_are_like_what_the_rule_finds(public_rules: Any) -> None:
    """One of them at least shares the call, the service, the resource, its group or the path."""
    marks = {
        (name, wanted): set().union(
            *(_marks(c.record) for c in public_rules.cases if c.rule == name and c.wanted is wanted)
        )
        for name in public_rules.paths
        for wanted in (True, False)
    }
    assert [name for name in public_rules.paths if not marks[name, True] & marks[name, False]] == []


def test_the_command_tests_them_and_reports_each_rule(public_rules: Any, tmp_path: Path) -> None:
    folder = next(iter(public_rules.paths.values())).parents[3]
    line = [
        sys.executable,
        "-m",
        "daemon",
        "rules",
        "test",
        "--no-builtin",
        "--rules",
        str(folder),
        "--junit",
        "r.xml",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == f"{len(public_rules.cases)} tries, 0 failed\n"
    suites = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert {suite.get("name") for suite in suites} == {str(path) for path in public_rules.paths.values()}
    assert sum(int(suite.get("tests", "0")) for suite in suites) == len(public_rules.cases)


def test_scan_finds_exactly_what_is_to_be_found(public_rules: Any, tmp_path: Path) -> None:
    cases = [case for case in public_rules.cases if profile("cloudtrail").recognise(case.record)]
    (tmp_path / "events.jsonl").write_bytes(b"".join(orjson.dumps(case.record) + b"\n" for case in cases))
    folder = next(iter(public_rules.paths.values())).parents[3]
    line = [
        sys.executable,
        "-m",
        "daemon",
        "scan",
        "--source",
        "cloudtrail",
        "--no-builtin",
        "--rules",
        str(folder),
        "--json",
        "events.jsonl",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    found = {(f["rule_id"], f["locations"][0]["line"]) for f in map(json.loads, done.stdout.splitlines())}
    for place, case in enumerate(cases, 1):
        assert ((public_rules.ids[case.rule], place) in found) is case.wanted, case


def _marks(record: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    target = record.get("objectRef", {})
    found = {
        "service": record.get("eventSource"),
        "call": record.get("eventName"),
        "resource": target.get("resource"),
        "group": target.get("apiGroup"),
        "uri": record.get("requestURI", "").partition("?")[0],
    }
    return {(key, value) for key, value in found.items() if value}
