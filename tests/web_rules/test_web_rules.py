"""SigmaHQ's rules for webservers and proxies on access lines of Istio: loaded, routed, seeing, right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.catalogue import profile
from detectors.event import Event, Locator
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Rule, routes
from detectors.sigma.ruleset import RuleSet

HERE = Path(__file__).parent
RULES = {path.stem: path for path in sorted((HERE / "sigmahq" / "rules").glob("*.yml"))}
LINES: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load((HERE / "lines.yml").read_text(encoding="utf-8"))
ISTIO = profile("istio_access")
LINE = {
    "start_time": "2026-03-04T05:06:07.089Z",
    "method": "GET",
    "path": "/",
    "protocol": "HTTP/1.1",
    "response_code": 200,
    "response_flags": "-",
    "authority": "shop.example.com",
    "user_agent": "curl/8.5.0",
    "bytes_received": 0,
    "bytes_sent": 12,
    "duration": 3,
    "upstream_cluster": "outbound|443||shop.example.com",
    "upstream_host": "203.0.113.9:443",
    "downstream_local_address": "203.0.113.9:443",
    "downstream_remote_address": "10.0.0.5:40123",
    "request_id": "5f6b1f0e-0000-4000-8000-000000000001",
}
# Headers that Envoy logs only where the mesh is told to: `%REQ(COOKIE)%`, `%REQ(REFERER)%`.
WHERE_LOGGED = {"cookie", "referer"}


@pytest.fixture(scope="module")
def ruleset() -> RuleSet:
    return RuleSet.load(
        [RuleDocument(name, path.read_text(encoding="utf-8")) for name, path in RULES.items()]
    )


@pytest.fixture(scope="module")
def engine(ruleset: RuleSet) -> Engine:
    return Engine(ruleset)


def line(changes: dict[str, Any]) -> Event:
    return ISTIO.parse({**LINE, **changes}, Locator("t", 0, 1, 0))


def text_line(changes: dict[str, Any]) -> Event:
    """Return the event of Istio's own TEXT format."""
    f = {**LINE, **changes}
    text = (
        f'[{f["start_time"]}] "{f["method"]} {f["path"]} {f["protocol"]}" {f["response_code"]} - '
        f'via_upstream - "-" {f["bytes_received"]} {f["bytes_sent"]} {f["duration"]} 2 "-" '
        f'"{f["user_agent"]}" '
        f'"{f["request_id"]}" "{f["authority"]}" "{f["upstream_host"]}" {f["upstream_cluster"]} '
        f"10.0.0.5:50000 {f['downstream_local_address']} {f['downstream_remote_address']} - default"
    )
    return ISTIO.parse(text.encode(), Locator("t", 0, 1, 0))


def fields(detection: Any) -> Iterator[str]:
    if isinstance(detection, list):
        for item in detection:
            yield from fields(item)
    elif isinstance(detection, dict):
        for key, value in detection.items():
            yield str(key).partition("|")[0]
            yield from fields(value)


def test_all_web_rules_load_and_go_to_the_mesh(ruleset: RuleSet) -> None:
    assert len(RULES) == 42
    assert not ruleset.refusals
    assert [rule.identity.title for rule in ruleset.rules if not routes(rule.logsource, ISTIO)] == []


@pytest.mark.parametrize("name", RULES)
def test_no_field_of_a_web_rule_is_unknown(name: str) -> None:
    detection: dict[str, Any] = yaml.safe_load(RULES[name].read_text(encoding="utf-8"))["detection"]
    asked = {
        field for key, part in detection.items() if key != "condition" for field in fields(part) if field
    }
    real = {ISTIO.aliases.get(field, field).partition("|")[0] for field in asked}
    known = set(LINE) | WHERE_LOGGED | {"destination", "source"}
    assert real <= known, real - known


@pytest.mark.parametrize("read", [line, text_line])
@pytest.mark.parametrize("name", LINES)
def test_a_web_rule_finds_its_line_and_leaves_the_look_alike(
    ruleset: RuleSet, engine: Engine, name: str, read: Any
) -> None:
    rule = next(rule for rule in ruleset.rules if rule.identity.path == name)
    assert rule.id in found(engine, read(LINES[name]["match"]))
    assert rule.id not in found(engine, read(LINES[name]["no_match"]))


def found(engine: Engine, event: Event) -> set[str]:
    inspection = engine.inspect(event)
    assert not inspection.errors
    return {finding.rule_id for finding in inspection.findings}


VALUES = {
    key: sorted({str(part[key]) for case in LINES.values() for part in case.values() if key in part})
    for key in ("method", "path", "authority", "user_agent", "upstream_host")
}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in VALUES.items()}), max_size=6
    )
)
def test_sorting_lines_by_computed_fields_loses_no_rule(
    ruleset: RuleSet, changes: list[dict[str, Any]]
) -> None:
    engine = Engine(ruleset)
    holds = {rule.id: compile_predicate(rule.condition, ISTIO.aliases) for rule in ruleset.rules}
    for change in changes:
        event = line(change)
        assert found(engine, event) == {rule for rule, test in holds.items() if test(event.fields)}


def test_an_ordinary_line_is_found_by_none(engine: Engine) -> None:
    assert found(engine, line({})) == set()


def test_there_are_lines_for_many_rules(ruleset: RuleSet) -> None:
    known: list[Rule] = [rule for rule in ruleset.rules if rule.identity.path in LINES]
    assert len(known) == len(LINES) >= 20
