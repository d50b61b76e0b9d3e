"""Compiled files as JSON: they come back as they were, and what we did not write is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rules import builtin
from detectors.sigma.compiled import CompiledFile, CompiledFilter, CompiledRule, CorrelationText
from detectors.sigma.compiling import compile_file
from detectors.sigma.condition import And, Condition, Element, Keyword, Leaf, Not, Or, Reference
from detectors.sigma.conformance_case import parse
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.ruleset import RuleSet
from detectors.sigma.stored import StoredReader, to_data
from detectors.sigma.stored_value import StoredError, UnstorableError

SUITE = Path(__file__).parents[2] / "conformance"
TEXTS = [document.text for document in builtin()]
KINDS = """title: every kind of value
id: 11111111-1111-4111-8111-111111111111
name: all
sigma-version: 3
logsource: {product: test}
detection:
  s:
    a: ['x', 'x*', '*x', '*x*', 'x?y*z', '', '*', 7, 1.5, true, null]
    b|cased: Ab
    c|re|i: '^a.*b$'
    d|cidr: [10.0.0.0/8, 'fd00::/8']
    e|exists: true
    f|gte: 5
    g|hour: 7
    h|minute|lt: 30
    i|fieldref|startswith: j
    k|base64offset|contains: hello
    l|windash|contains: ' -x'
    m|contains|all: [a, b]
  t: [word, 'w?rd*', 42]
  u:
    containers[any]:
      image|startswith: evil
      name: x
  condition: s and not t or u
"""


def cases() -> list[str]:
    """Return every document of the conformance suite."""
    topics = [(str(path.relative_to(SUITE)), path.read_text("utf-8")) for path in SUITE.rglob("*.yml")]
    return sorted({text for topic, told in topics for case in parse(topic, told) for text in case.documents})


def compiled(text: str) -> CompiledFile:
    return compile_file(RuleDocument("r.yml", text))


def back(data: Any, path: str = "r.yml") -> CompiledFile:
    return StoredReader().read(orjson.loads(orjson.dumps(data)), path)


def shown(value: object) -> str:
    """Return a repr without addresses and without where pySigma found an address; flags in one order."""
    text = re.sub(r"source=(None|SigmaRuleLocation\(.*?, char=None\))|0x[0-9a-f]+", "", repr(value))
    return re.sub(r"\{(<SigmaRegularExpressionFlag[^}]*)\}", _in_order, text)


def _in_order(flags: re.Match[str]) -> str:
    return f"{{{', '.join(sorted(flags[1].split(', ')))}}}"


@pytest.mark.parametrize("text", [KINDS, *TEXTS])
def test_a_rule_comes_back_as_it_was(text: str) -> None:
    before = compiled(text)
    assert before.items
    assert shown(back(to_data(before))) == shown(before)


def test_the_whole_conformance_suite_comes_back_as_it_was() -> None:
    unstorable = 0
    for text in cases():
        before = compiled(text)
        try:
            data = to_data(before)
        except UnstorableError:
            unstorable += 1
            continue
        assert shown(back(data)) == shown(before), text
    assert unstorable == 0


def test_the_path_is_that_of_the_file_that_is_read() -> None:
    moved = back(to_data(compiled(KINDS + "---\ntitle: x\n")), "elsewhere.yml")
    [item] = moved.items
    assert isinstance(item, CompiledRule)
    assert {item.rule.identity.path, item.place.path, moved.refusals[0].path} == {"elsewhere.yml"}


def test_stored_rules_find_what_the_others_find(make_event: Any) -> None:
    stored = RuleSet.of([back(to_data(compiled(KINDS)))])
    fresh = RuleSet.load([RuleDocument("r.yml", KINDS)])
    for record in ({"t": "word"}, {"containers": [{"image": "evil:1", "name": "x"}]}, {"a": "x"}):
        found = [
            [f.rule_id for f in Engine(one).inspect(make_event(record)).findings] for one in (stored, fresh)
        ]
        assert found[0] == found[1]


FORGED: list[tuple[str, Any]] = [
    ("nothing", None),
    ("a text", "CompiledFile"),
    ("another class", ["Rule"]),
    ("a class of Python", ["builtins.eval", "1"]),
    ("too few", ["CompiledFile", [], []]),
    ("too many", ["CompiledFile", [], [], [], []]),
    ("no list", ["CompiledFile", {}, [], []]),
    ("a refusal as an item", ["CompiledFile", [["Refusal", 1, None, "a", "b"]], [], []]),
]


@pytest.mark.parametrize("data", [row[1] for row in FORGED], ids=[row[0] for row in FORGED])
def test_what_is_no_compiled_file_is_refused(data: Any) -> None:
    with pytest.raises(StoredError):
        back(data)


def replaced(data: Any, old: Any, new: Any) -> Any:
    """Return `data` with every `old` inside it replaced."""
    if data == old:
        return new
    return [replaced(one, old, new) for one in data] if isinstance(data, list) else data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["bool", True], ["bool", 1]),
        (["number", 7], ["number", "7"]),
        (["number", 7], ["number", True]),
        (["cidr", "10.0.0.0/8"], ["cidr", "10.0.0.0/99"]),
        (["re", "^a.*b$", "IGNORECASE"], ["re", "(?=a)"]),
        (["re", "^a.*b$", "IGNORECASE"], ["re", "(", "IGNORECASE"]),
        (["re", "^a.*b$", "IGNORECASE"], ["re", "a", "EXECUTE"]),
        (["time", "HOUR", 7], ["time", "SECOND", 7]),
        (["=", "x", 1], ["=", "x", 3]),
        (["=", "x", 1], ["=", "x", []]),
        (["=", "x", 1], ["exec", "x"]),
        (["exists", True], ["exists", None]),
        ("medium", "urgent"),
        ("containers", "c" + ".c" * 20),
    ],
)
def test_a_value_of_another_shape_is_refused(old: Any, new: Any) -> None:
    data = orjson.loads(orjson.dumps(to_data(compiled(KINDS))))
    changed = replaced(data, old, new)
    assert orjson.dumps(changed) != orjson.dumps(data)
    with pytest.raises(StoredError):
        back(changed)


@pytest.mark.parametrize("depth", [250, 900])
def test_a_condition_without_end_is_refused(depth: int) -> None:
    deep: Any = ["Keyword", [["=", "x"]]]
    for _ in range(depth):
        deep = ["Not", deep]
    data = replaced(to_data(compiled(KINDS)), to_data(_condition(compiled(KINDS))), deep)
    with pytest.raises(StoredError):
        StoredReader().read(data, "r.yml")


def _condition(file: CompiledFile) -> Condition:
    [item] = file.items
    assert isinstance(item, CompiledRule)
    return item.rule.condition


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "=", "Leaf", "And", "re", "x.y"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), new=JSON)
def test_any_other_json_in_any_place_is_refused_or_data(place: int, new: Any) -> None:
    """Whatever stands there, the answer is a compiled file of our own classes, or StoredError."""
    data = orjson.loads(orjson.dumps(to_data(compiled(KINDS))))
    holders = list(_lists(data))
    holder = holders[place % len(holders)]
    holder[place % len(holder)] = new
    try:
        found = back(data)
    except StoredError:
        return
    for item in found.items:
        assert isinstance(item, CompiledRule | CompiledFilter | CorrelationText)
        if isinstance(item, CompiledRule):
            assert all(isinstance(node, _NODES) for node in _nodes(item.rule.condition))
    RuleSet.of([found])


_NODES = (And, Or, Not, Leaf, Reference, Keyword, Element)


def _lists(data: Any) -> Any:
    if isinstance(data, list) and data:
        yield data
        for one in data:
            yield from _lists(one)


def _nodes(node: Condition) -> list[Condition]:
    match node:
        case And(parts) | Or(parts):
            return [node, *(inner for part in parts for inner in _nodes(part))]
        case Not(part):
            return [node, *_nodes(part)]
        case Element(_, _, body):
            return [node, *_nodes(body)]
        case _:
            return [node]
