"""Sorting events by a few fields changes what is tried, never what matches."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.types import SigmaBool, SigmaNull, SigmaNumber, SigmaString

from detectors.sigma import value_class
from detectors.sigma.condition import And, Condition, Leaf, Not, Or
from detectors.sigma.discriminator import MOST, discriminators
from detectors.sigma.dispatch import SORTS, Dispatch
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.refutation import compile_partial, refutable

PATHS = ("f", "g", "f.g", "h.i.j", "k")
SCALARS = st.sampled_from(["a", "B", "ab", "1", "", 0, 1, 2, True, False, 1.0, 0.0, None])
VALUES = st.one_of(
    st.sampled_from(["a", "b", "ab", "a*", "*b", "1", ""]).map(SigmaString),
    st.sampled_from([0, 1, 2]).map(SigmaNumber),
    st.booleans().map(SigmaBool),
    st.just(SigmaNull()),
)
CONDITIONS = st.recursive(
    st.builds(Leaf, st.sampled_from(PATHS), st.lists(VALUES, min_size=1, max_size=2).map(tuple)),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(And)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or)
        | inner.map(Not)
    ),
    max_leaves=5,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["f", "g", "h", "i", "j"]), inner, max_size=3)
    ),
    max_leaves=5,
)
RECORDS = st.dictionaries(st.sampled_from(["f", "g", "f.g", "h", "k"]), JSON, max_size=5)


def text(path: str, *values: str) -> Leaf:
    return Leaf(path, tuple(SigmaString(value) for value in values))


def sorting(*conditions: Condition) -> Dispatch[int]:
    return Dispatch(list(enumerate(conditions)), {})


@settings(max_examples=500, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=6), st.lists(RECORDS, min_size=1, max_size=8))
def test_a_rule_that_matches_is_always_among_the_candidates(
    conditions: list[Condition], records: list[Any]
) -> None:
    predicates = [compile_predicate(condition, {}) for condition in conditions]
    dispatch = sorting(*conditions)
    for record in records * 2:
        found = dispatch.candidates(record)
        matching = {number for number, holds in enumerate(predicates) if holds(record)}
        assert found is None or matching <= set(found)


@settings(max_examples=500, deadline=None)
@given(CONDITIONS, RECORDS, st.sets(st.sampled_from(PATHS)))
def test_a_verdict_on_known_fields_is_the_verdict_on_all(
    condition: Condition, record: Any, known: set[str]
) -> None:
    from detectors.sigma.path import lookup

    paths = sorted(known)
    verdict = compile_partial(condition, paths, {})([lookup(path)(record) for path in paths])
    if verdict is not None:
        assert compile_predicate(condition, {})(record) is verdict
    if verdict is False:
        assert refutable(condition, known, {})


def test_equal_numbers_of_other_types_share_a_sort_and_its_candidates() -> None:
    def made() -> Dispatch[int]:
        return sorting(Leaf("f", (SigmaBool(True),)), Leaf("f", (SigmaNumber(1),)), text("f", "1.0"))

    for first in (1, True, 1.0):
        dispatch = made()
        assert dispatch.candidates({"f": first}) == (0, 1, 2)
        assert [dispatch.candidates({"f": value}) for value in (1, True, 1.0)] == [(0, 1, 2)] * 3
    assert made().candidates({"f": 2}) == ()
    assert made().candidates({"f": "1"}) == (1,)


def test_the_fewest_fields_that_refute_every_rule_are_chosen() -> None:
    rules: list[Condition] = [And((text("name", f"n{n}"), text("kind", "x"))) for n in range(5)]
    rules += [text("name", "other"), text("agent", "bad*")]
    assert discriminators(rules, {}) == ("name", "agent")


def test_no_more_fields_than_the_bound() -> None:
    assert len(discriminators([text(f"f{n}", "x") for n in range(20)], {})) == MOST


def test_a_field_is_added_when_candidates_are_often_tried_in_vain() -> None:
    rule = And((text("call", "get"), Not(text("who", "node*"))))
    dispatch = sorting(rule)
    assert dispatch.paths == ("call",)
    busy = {"call": "get", "who": "node-1"}
    for _ in range(300):
        for number in dispatch.candidates(busy) or ():
            dispatch.tried_in_vain(number, busy)
    assert dispatch.paths == ("call", "who")
    assert dispatch.candidates(busy) == ()
    assert dispatch.candidates({"call": "get", "who": "mallory"}) == (0,)


def test_what_is_remembered_is_bounded_under_a_flood_of_new_values() -> None:
    dispatch = sorting(text("f", "a"), text("f", "*b*"), text("f", "*c*"))
    for number in range(value_class.VALUES + 1000):
        assert dispatch.candidates({"f": f"value-{number}"}) == ()
    assert dispatch.candidates({"f": "x" * 100_000 + "b"}) == (1,)
    assert dispatch.candidates({"f": "b and c"}) == (1, 2)
    assert len(dispatch.classes[0]) == value_class.VALUES
    assert len(dispatch.sorted) <= 4


def test_classes_and_sorts_are_bounded_when_values_satisfy_tests_in_ever_new_ways() -> None:
    letters = "abcdefghijklmnop"
    dispatch = sorting(*(text("f", f"*{letter}*") for letter in letters))
    for number in range(value_class.CLASSES + 500):
        value = "".join(letter for place, letter in enumerate(letters) if number >> place & 1)
        found = dispatch.candidates({"f": value})
        assert found is None or set(found) == {place for place in range(16) if number >> place & 1}
    assert dispatch.candidates({"f": letters}) is None
    assert len(dispatch.sorted) <= value_class.CLASSES <= SORTS


def test_a_flood_is_forgotten_after_a_while() -> None:
    dispatch = sorting(text("f", "a"))
    for number in range(9 * SORTS + 1):
        dispatch.candidates({"f": f"value-{number}"})
    assert dispatch.candidates({"f": "a"}) == (0,)


def test_values_that_cannot_be_sorted_go_the_other_way() -> None:
    dispatch = sorting(text("f", "a"))
    assert dispatch.candidates({"f": ["a", 1]}) is None
    assert dispatch.candidates({"f": ["a"] * 9}) is None
    assert dispatch.candidates({"f": {"a": 1}}) is None


def test_short_lists_of_texts_are_sorted_by() -> None:
    dispatch = sorting(text("f", "a"), text("f", "b"))
    assert dispatch.candidates({"f": ["a", "c"]}) == (0,)
    assert dispatch.candidates({"f": ["c", "b"]}) == (1,)
    assert dispatch.candidates({"f": ["a", "b"]}) == (0, 1)
    assert dispatch.candidates({"f": ["a" * 600]}) == ()


def test_fields_that_refute_only_together_are_chosen_together() -> None:
    assert discriminators([Or((text("http", "denied*"), text("tcp", "denied*")))], {}) == ("http", "tcp")
