"""Array blocks on events as CloudTrail and Kubernetes write them: matched, sorted, explained by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.event import Event, Fields, Locator
from detectors.sigma.conformance import ConformanceSource
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.explanation import explain, leaves_of, nearest_miss
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Rule
from detectors.sigma.ruleset import RuleSet

PAGE = Path(__file__).parents[3] / "docs" / "sigma-arrays.md"
HEAD = {"title": "t", "id": "11111111-1111-4111-8111-111111111111", "logsource": {"product": "conform"}}
PODS: Fields = {
    "verb": "create",
    "requestObject": {
        "spec": {
            "containers": [
                {"name": "web", "image": "registry.example/web:1", "securityContext": {"privileged": False}},
                {"name": "side", "image": "miner:latest", "securityContext": {"privileged": True}},
            ]
        }
    },
}


def loaded(detection: object, **placeholders: list[str]) -> RuleSet:
    document = {**HEAD, "sigma-version": 3, "detection": detection}
    return RuleSet.load([RuleDocument("rule.yml", yaml.safe_dump(document))], placeholders)


def rule(selection: object, **placeholders: list[str]) -> Rule:
    found = loaded({"s": selection, "condition": "s"}, **placeholders)
    assert not found.refusals
    return found.rules[0]


def test_the_explanation_names_the_place_of_the_element() -> None:
    block = {"image|endswith": ":latest", "securityContext.privileged": True}
    explained = explain(rule({"requestObject.spec.containers[any]": block}).condition, PODS, {})
    assert explained.holds
    held = [test.path for test in leaves_of(explained) if test.holds]
    assert held == [
        "requestObject.spec.containers[1].image",
        "requestObject.spec.containers[1].securityContext.privileged",
    ]
    assert explained.to_json()["count"] == 2


def test_the_nearest_miss_is_within_one_element() -> None:
    block = {"image|endswith": ":1", "name": "web", "securityContext.privileged": True}
    explained = explain(rule({"requestObject.spec.containers[any]": block}).condition, PODS, {})
    missing = nearest_miss(explained)
    assert [(test.path, test.seen) for test in missing] == [
        ("requestObject.spec.containers[0].securityContext.privileged", False)
    ]


def test_the_nearest_miss_of_an_empty_array_is_the_array() -> None:
    explained = explain(rule({"a[any]": {"x": 1}}).condition, {"a": []}, {})
    assert [(test.path, test.wanted) for test in nearest_miss(explained)] == [
        ("a", ("one element that matches",))
    ]


def test_places_of_inner_arrays_and_of_the_elements_themselves_are_named() -> None:
    condition = rule({"spec.c[any]": {"args[any]|startswith": "--anonymous", "m[0][1]": 7}}).condition
    fields: Any = {"spec": [{"c": [{"args": ["a", "--anonymous-auth"], "m": [[3, 7]]}]}]}
    held = [test.path for test in leaves_of(explain(condition, fields, {})) if test.holds]
    assert held == ["spec[0].c[0].args[1]", "spec[0].c[0].m[0][1]"]


def test_placeholders_take_values_inside_a_block() -> None:
    known = rule({"c[any]": {"image|expand": "%images%", "x": 1}}, images=["a", "b*"])
    holds = compile_predicate(known.condition, {})
    assert holds({"c": [{"image": "bad", "x": 1}]})
    assert not holds({"c": [{"image": "a", "x": 2}, {"image": "c", "x": 1}]})


def test_a_refused_block_points_at_its_line() -> None:
    detection = {"s": {"f": 1, "c[some]": {"a": 1}}, "condition": "s"}
    refusal = loaded(detection).refusals[0]
    document = yaml.safe_dump({**HEAD, "sigma-version": 3, "detection": detection})
    line = next(place for place, text in enumerate(document.splitlines(), 1) if "c[some]" in text)
    assert (refusal.line, refusal.reason) == (line, "[some] is no choice of elements")


SELECTIONS = [
    {"c[any]": {"x": "a", "y": "b"}},
    {"f": "a", "c[all]": {"x": "a"}},
    {"f": ["a", "b"], "c[none].x": "b"},
    {"c[all_or_empty]|startswith": "a"},
    {"c[1]": "b", "f|exists": True},
    {"c[any]": {"x[any]": {"y": "a"}, "y": None}},
]
SCALARS = st.sampled_from(["a", "b", "ab", None])
INNER = st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2)
ITEMS = SCALARS | st.dictionaries(
    st.sampled_from(["x", "y"]), SCALARS | INNER | st.lists(INNER, max_size=2), max_size=2
)
EVENTS = st.fixed_dictionaries({}, optional={"f": SCALARS, "c": ITEMS | st.lists(ITEMS, max_size=3)})


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    documents = [
        {**HEAD, "id": f"11111111-1111-4111-8111-{place:012d}", "sigma-version": 3}
        | {"detection": {"s": selection, "condition": f"{negation}s"}, "title": str(place)}
        for place, (selection, negation) in enumerate((s, n) for s in SELECTIONS for n in ("", "not "))
    ]
    found = RuleSet.load([RuleDocument(f"{d['id']}.yml", yaml.safe_dump(d)) for d in documents])
    assert not found.refusals
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_sorting_events_loses_no_block(rules: RuleSet, events: list[Fields]) -> None:
    source, engine = ConformanceSource({"product": "conform"}), Engine(rules)
    for place, fields in enumerate(events):
        event = Event(source, 0.0, fields, Locator("t", 0, 0, place))
        wanted = {known.id for known in rules.rules if compile_predicate(known.condition, {})(fields)}
        assert {finding.rule_id for finding in engine.inspect(event).findings} == wanted


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Return the rules of the page on arrays, each with its comment lines `# match:`, `# no match:`."""
    blocks = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    texts = [block.partition("```")[0] for block in blocks]
    return [(text, yaml.safe_load(text)) for text in texts if "title:" in text]


@pytest.mark.parametrize(("text", "document"), examples(), ids=[d["title"] for _, d in examples()])
def test_the_examples_of_the_page_do_what_their_comments_say(text: str, document: dict[str, Any]) -> None:
    found = RuleSet.load([RuleDocument("page.yml", text)])
    assert not found.refusals
    holds = compile_predicate(found.rules[0].condition, {})
    said = [line.removeprefix("# ").split(": ", 1) for line in text.splitlines() if line.startswith("# ")]
    assert {kind for kind, _ in said} == {"match", "no match"}
    for kind, event in said:
        assert holds(yaml.safe_load(event)) is (kind == "match"), event


def test_a_field_that_is_called_as_a_block_inside_is_refused() -> None:
    for name in ("array block zz", "array block 5b5d", "array block "):
        [refusal] = loaded({"s": {name: 1}, "condition": "s"}).refusals
        assert "kept for array blocks" in refusal.reason


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="[]anyl0\\.|_", max_size=12), st.sampled_from([1, {"x": 1}, [{"x": 1}], [], None]))
def test_no_name_with_brackets_breaks_the_loader(name: str, value: object) -> None:
    found = loaded({"s": {name: value, "f": 1}, "condition": "s"})
    assert len(found.rules) + len(found.refusals) == 1
    for known in found.rules:
        compile_predicate(known.condition, {})({"a": [[{"x": 1}], 1], "f": 1})
