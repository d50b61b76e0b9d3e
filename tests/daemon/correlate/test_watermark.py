"""The watermark law: min(greatest event time, append time) - lateness; never back; -inf until all spoke."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.roles.correlate.heartbeat import Heartbeat, SourceReport
from daemon.roles.correlate.watermark import NEVER, Watermarks, is_future, reach

KINDS = {"a.one": "a", "a.two": "a", "b.one": "b"}
REPORT = SourceReport("a", 5, 100.0, 101.0, idle=False)


def book(lateness: float = 10.0) -> Watermarks:
    return Watermarks(KINDS, lambda _kind: lateness)


def beat(counts: dict[str, int], reports: dict[str, SourceReport], at: float = 200.0) -> Heartbeat:
    return Heartbeat("w", counts, reports, at)


def test_the_event_time_counts_when_it_is_behind_the_append_time() -> None:
    assert reach(REPORT, 200.0, 10.0) == 90.0


def test_the_append_time_counts_when_events_are_ahead_of_it() -> None:
    assert reach(replace(REPORT, max_event_time=130.0), 200.0, 10.0) == 91.0


def test_an_idle_partition_counts_by_its_append_time() -> None:
    assert reach(replace(REPORT, idle=True, append_time=180.0), 200.0, 10.0) == 170.0


def test_an_idle_partition_that_never_had_a_record_counts_from_the_heartbeat() -> None:
    empty = SourceReport("a", 0, None, None, idle=True)
    assert reach(empty, 200.0, 10.0) == 190.0


def test_a_partition_that_is_not_read_yet_has_no_watermark() -> None:
    assert reach(SourceReport("a", 0, None, None, idle=False), 200.0, 10.0) == NEVER


@pytest.mark.parametrize(("ahead", "future"), [(300.0, False), (300.1, True)])
def test_events_more_than_five_minutes_ahead_never_move_it(ahead: float, future: bool) -> None:
    report = replace(REPORT, max_event_time=101.0 + ahead)
    assert is_future(report) is future
    assert (reach(report, 200.0, 10.0) == NEVER) is future


def test_it_is_minus_infinity_until_every_partition_of_every_topic_of_the_kind_is_reported() -> None:
    marks = book()
    assert marks.of({"a"}) == NEVER
    marks.observe(beat({"a.one": 2}, {"a.one/0": REPORT}))
    assert marks.of({"a"}) == NEVER
    marks.observe(beat({"a.one": 2}, {"a.one/1": REPORT}))
    assert marks.of({"a"}) == NEVER, "the second topic of the kind has not been counted yet"
    marks.observe(beat({"a.two": 1}, {"a.two/0": replace(REPORT, max_event_time=95.0)}))
    assert marks.of({"a"}) == 85.0
    assert marks.of({"a", "b"}) == NEVER


def test_a_new_partition_holds_it_back_again() -> None:
    marks = book()
    marks.observe(beat({"b.one": 1}, {"b.one/0": REPORT}))
    assert marks.of({"b"}) == 90.0
    marks.observe(beat({"b.one": 2}, {}))
    assert marks.of({"b"}) == NEVER


def test_it_never_goes_back() -> None:
    marks = book()
    assert marks.observe(beat({"b.one": 1}, {"b.one/0": REPORT})) == (True, 0)
    again = beat({"b.one": 1}, {"b.one/0": replace(REPORT, max_event_time=50.0)})
    assert marks.observe(again) == (False, 0)
    assert marks.of({"b"}) == 90.0


def test_topics_that_are_not_configured_are_left_out_and_no_topic_holds_nothing_back() -> None:
    marks = book()
    assert marks.observe(beat({"zzz": 1}, {"zzz/0": REPORT})) == (False, 0)
    assert marks.of({"unknown"}) == math.inf


def test_the_future_is_counted() -> None:
    marks = book()
    report = replace(REPORT, max_event_time=1000.0)
    assert marks.observe(beat({"b.one": 1}, {"b.one/0": report})) == (True, 1)
    assert marks.of({"b"}) == NEVER


times = st.floats(min_value=0, max_value=1e6)


@given(st.lists(st.tuples(st.integers(0, 2), times, times, st.booleans()), max_size=30))
def test_it_rises_and_stays_below_every_append_time(
    beats: list[tuple[int, float, float, bool]],
) -> None:
    marks = book(lateness=1.0)
    before = NEVER
    newest = dict.fromkeys(range(3), NEVER)
    for partition, event_time, append_time, idle in beats:
        report = SourceReport("b", 0, event_time, append_time, idle)
        marks.observe(beat({"b.one": 3}, {f"b.one/{partition}": report}))
        newest[partition] = max(newest[partition], append_time - 1.0)
        now = marks.of({"b"})
        assert before <= now <= min(newest.values())
        before = now
