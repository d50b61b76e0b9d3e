"""An explanation says what the matcher says, and the nearest miss is one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.types import SigmaBool, SigmaNull, SigmaNumber, SigmaString

from detectors.sigma import explanation
from detectors.sigma.condition import And, Condition, Element, Keyword, Leaf, Not, Or, Reference
from detectors.sigma.document import RuleDocument
from detectors.sigma.element import quantified
from detectors.sigma.explanation import Elements, Explained, Linked, explain, leaves_of, nearest_miss
from detectors.sigma.path import MISSING
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.ruleset import RuleSet

VALUES = st.one_of(
    st.sampled_from(["a", "b", "a*", ""]).map(SigmaString),
    st.sampled_from([0, 1]).map(SigmaNumber),
    st.booleans().map(SigmaBool),
    st.just(SigmaNull()),
)
LEAVES = st.one_of(
    st.builds(Leaf, st.sampled_from(["f", "g", "f.g"]), st.lists(VALUES, min_size=1, max_size=2).map(tuple)),
    st.builds(Reference, st.just("f"), st.just("g"), st.booleans(), st.booleans()),
    st.just(Keyword((SigmaString("a"),))),
)
QUANTIFIERS = st.sampled_from(["any", "all", "all_or_empty", "none", 0, 1])
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Element, st.sampled_from(["f", "g", "."]), QUANTIFIERS, inner)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(And)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or)
        | inner.map(Not)
    ),
    max_leaves=6,
)
SCALARS = st.sampled_from(["a", "b", "ab", 0, 1, True, None])
ELEMENTS = st.dictionaries(
    st.sampled_from(["f", "g"]), SCALARS | st.lists(SCALARS | st.lists(SCALARS, max_size=2), max_size=2)
)
RECORDS = st.dictionaries(
    st.sampled_from(["f", "g", "f.g"]),
    SCALARS | st.lists(SCALARS | ELEMENTS, max_size=3) | ELEMENTS,
    max_size=3,
)
ALIASES = st.dictionaries(st.sampled_from(["f", "g"]), st.sampled_from(["f", "g", "f.g"]), max_size=2)


@settings(max_examples=500, deadline=None)
@given(CONDITIONS, RECORDS, ALIASES)
def test_the_verdict_is_the_matchers(condition: Condition, fields: Any, aliases: dict[str, str]) -> None:
    assert explain(condition, fields, aliases).holds is compile_predicate(condition, aliases)(fields)


@settings(max_examples=500, deadline=None)
@given(CONDITIONS, RECORDS)
def test_the_nearest_miss_turned_round_is_a_match(condition: Condition, fields: Any) -> None:
    explained = explain(condition, fields, {})
    missing = nearest_miss(explained)
    assert bool(missing) is not explained.holds
    assert turned(explained, {id(test) for test in missing})


def turned(explained: Explained, others: set[int]) -> bool:
    if isinstance(explained, explanation.Tested):
        return explained.holds is not (id(explained) in others)
    if isinstance(explained, Elements):
        bodies = [turned(item, others) for _, item in explained.items]
        return quantified(explained.quantifier, bodies) is not (id(explained.empty) in others)
    parts = [turned(part, others) for part in explained.parts]
    if explained.link == "not":
        return not parts[0]
    return all(parts) if explained.link == "and" else any(parts)


RULE = """title: key made
id: 11111111-1111-4111-8111-111111111111
logsource: {product: test}
detection:
  made: {eventName: CreateAccessKey, user.type: IAMUser}
  own: {errorCode|exists: true}
  net: {ip|cidr: 10.0.0.0/8}
  condition: made and not own and not net
"""


def test_every_test_is_shown_with_what_it_saw() -> None:
    condition = RuleSet.load([RuleDocument("r", RULE)]).rules[0].condition
    record: Any = {"eventName": "CreateAccessKey", "user": {"type": "Root"}, "ip": "192.0.2.1"}
    explained = explain(condition, record, {})
    shown = [(test.path, test.wanted, test.seen, test.holds) for test in leaves_of(explained)]
    assert shown == [
        ("eventName", ("CreateAccessKey",), "CreateAccessKey", True),
        ("user.type", ("IAMUser",), "Root", False),
        ("errorCode", ("is there",), MISSING, False),
        ("ip", ("cidr 10.0.0.0/8",), "192.0.2.1", False),
    ]
    assert [test.path for test in nearest_miss(explained)] == ["user.type"]
    assert isinstance(explained, Linked)
    assert explained.to_json()["holds"] is False
