"""Windows in memory: the same findings and states as from one JSON state to the next, and bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.finding import Finding
from detectors.sigma.correlation import Correlator, advance
from detectors.sigma.match import Match
from detectors.sigma.rule import AllOf, AnyOf, CorrelationKind, CorrelationRule, Identity, Operator, Seen
from detectors.sigma.temporal_ordered import TooManyAlternativesError, alternatives
from detectors.sigma.value_measure import Total
from detectors.sigma.window import MAX_BYTES, MAX_HELD, Window

IDENTITY = Identity("c", None, "Many", "", "high", (), (), (), (), 1, None, "c.yml", 1)
LATENESS = 15.0


def rule(kind: CorrelationKind, count: float = 3, op: Operator = "gte", **more: Any) -> CorrelationRule:
    rules = ("a", "b", "c") if kind.startswith("temporal") else ("a",)
    value = ("v",) if kind.startswith("value") else ()
    fields = dict.fromkeys(rules, ("user",))
    return CorrelationRule(
        IDENTITY, kind, rules, ("user",), fields, 10.0, op, count, False, value, 60, **more
    )


ALL = [
    rule("event_count"),
    rule("event_count", 1),
    rule("event_count", 2, "lt"),
    rule("event_count", 2, "gte", more=(("lte", 3.0),)),
    rule("value_count"),
    rule("value_count", 2, "eq"),
    rule("value_sum", 20),
    rule("value_sum", 20, "lte"),
    rule("value_avg", 4.5),
    rule("value_median", 5, "gt"),
    rule("value_percentile", 7),
    rule("temporal"),
    rule("temporal", required=AllOf((Seen(0), AnyOf((Seen(1), Seen(2)))))),
    rule("temporal_ordered"),
    rule("temporal_ordered", required=AllOf((Seen(0), AnyOf((Seen(1), Seen(2)))))),
]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from("abc"),
        st.sampled_from([-4.0, 0.0, 0.5, 3.0, 7.0, 9.5, None]),
        st.floats(0, LATENESS - 0.5),
    ),
    max_size=24,
)


def arriving(asked: CorrelationRule, events: Sequence[tuple[int, str, float | None, float]]) -> list[Match]:
    """Return matches in the order of their arrival, each within the lateness."""
    named = [
        (
            time + delay,
            Match(
                "c",
                name if len(asked.rules) > 1 else "a",
                ("kim",),
                f"e{n:02d}",
                float(time),
                "plain",
                "low",
                (),
                "kim",
                str(value) if asked.kind == "value_count" and value is not None else value,
            ),
        )
        for n, (time, name, value, delay) in enumerate(events)
    ]
    return [match for _, match in sorted(named, key=lambda pair: (pair[0], pair[1].event_id))]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALL), EVENTS, st.lists(st.integers(1, 4), min_size=24, max_size=24))
def test_a_window_in_memory_finds_what_states_find(
    asked: CorrelationRule, events: list[tuple[int, str, float | None, float]], sizes: list[int]
) -> None:
    matches = arriving(asked, events)
    correlator, window = Correlator(asked), Window()
    state: dict[str, Any] = {}
    live: list[Finding] = []
    stored: list[Finding] = []
    newest, at = -math.inf, 0
    for size in sizes:
        batch = [*matches[at : at + size], *matches[max(0, at - 1) : at]]
        at += size
        newest = max([newest, *(item.time for item in batch)])
        live += correlator.step(window, batch, newest - LATENESS).findings
        step = advance(asked, state, batch, newest - LATENESS)
        state = json.loads(json.dumps(step.state))
        stored += step.findings
    live += correlator.step(window, (), math.inf).findings
    stored += advance(asked, state, [], math.inf).findings
    assert live == stored


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ALL), EVENTS)
def test_a_dumped_state_is_the_state(
    asked: CorrelationRule, events: list[tuple[int, str, float | None, float]]
) -> None:
    correlator, window = Correlator(asked), Window()
    newest = -math.inf
    for match in arriving(asked, events):
        newest = max(newest, match.time)
        correlator.step(window, [match], newest - LATENESS)
        correlator.flush(window)
        assert json.loads(window.dump()) == json.loads(json.dumps(window.to_json()))
        assert Window.from_json(json.loads(window.dump())).to_json() == window.to_json()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12), st.data())
def test_sums_are_exact_whatever_came_and_went(numbers: list[float], data: st.DataObject) -> None:
    total = Total()
    for number in numbers:
        total.add(number)
    gone = data.draw(st.integers(0, len(numbers)))
    for number in numbers[:gone]:
        total.drop(number)
    exact = sum(map(Fraction, numbers[gone:]), Fraction())
    try:
        assert total.sum == float(exact)
    except OverflowError:
        assert total.sum == (math.inf if exact > 0 else -math.inf)


def test_numbers_at_the_end_of_floats_are_no_fault() -> None:
    asked = rule("value_sum", 5)
    many = [
        Match("c", "a", ("kim",), f"e{n}", float(n), "plain", "low", (), "kim", 1.7e308) for n in range(4)
    ]
    [final] = advance(asked, {}, many, math.inf).findings
    assert final.count == 4
    [final] = advance(rule("value_median", 5), {}, many, math.inf).findings
    assert final.count == 4


def flood(count: int, letters: int = 0) -> list[Match]:
    return [
        Match("c", "a", ("kim",), f"e{n:05}", 1 + n / 10_000, "plain", "low", (), "k", f"{n}" + "v" * letters)
        for n in range(count)
    ]


@pytest.mark.parametrize(("letters", "most"), [(0, MAX_HELD), (2_000, MAX_BYTES // 2_000)])
def test_a_window_holds_so_many_matches_and_bytes(letters: int, most: int) -> None:
    correlator, window = Correlator(rule("value_count", MAX_HELD)), Window()
    turned = 0
    for match in flood(MAX_HELD + 300, letters):
        turned += correlator.step(window, [match], 0).overflow
    turned += correlator.flush(window).overflow
    assert len(window.items) <= most
    assert turned == MAX_HELD + 300 - len(window.items) == window.overflow
    assert len(window.dump()) <= MAX_BYTES


def test_what_waits_is_in_no_state_until_it_is_flushed() -> None:
    correlator, window = Correlator(rule("event_count")), Window()
    correlator.step(window, flood(2), 0)
    assert (window.items, len(window.pending)) == ([], 2)
    correlator.flush(window)
    assert (len(window.items), window.pending, window.changed) == (2, [], True)


def test_an_order_has_a_bounded_number_of_alternatives() -> None:
    choice = AnyOf((Seen(0), Seen(1), Seen(2)))
    assert alternatives(AllOf((choice, Seen(1)))) == ((1,),)
    wide = AllOf(tuple(AnyOf((Seen(2 * n), Seen(2 * n + 1))) for n in range(40)))
    with pytest.raises(TooManyAlternativesError):
        alternatives(wide)
