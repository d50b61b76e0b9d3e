"""Matches and heartbeats of one topic: same finals however they arrive."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.roles.correlate.matches import KEEP_IDLE_S, MatchEvaluator

NewDrive = Callable[[], Any]
NewRecords = Callable[[], Any]
TIMES = (100.0, 110.0, 130.0, 155.0, 300.0, 305.0, 306.0, 420.0)


def test_a_provisional_comes_at_once_and_the_final_with_the_heartbeat(
    new_drive: NewDrive, records: Any
) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:3]])
    assert [f["status"] for f in drive.findings] == ["provisional"]
    drive.feed([records.heartbeat(165.0)])
    assert len(drive.findings) == 1, "the watermark is 155: the window to 160 is still open"
    drive.feed([records.heartbeat(171.0)])
    final = drive.findings[-1]
    assert (final["status"], final["count"]) == ("final", 3)
    assert final["confirms"] == [drive.findings[0]["finding_id"]]


def test_a_heartbeat_says_nothing_about_another_partition(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}", partition=0) for time in TIMES[:3]])
    drive.feed([records.heartbeat(900.0, partition=1)])
    assert not drive.finals()
    drive.feed([records.heartbeat(900.0, partition=0)])
    assert len(drive.finals()) == 1


def test_matches_before_a_heartbeat_count_although_they_are_in_its_batch(
    new_drive: NewDrive, records: Any
) -> None:
    drive = new_drive()
    matches = [records.match(time, f"e{time:.0f}") for time in TIMES[:3]]
    drive.feed([*matches, records.heartbeat(900.0)])
    assert len(drive.finals()) == 1


def test_repeated_ids_change_nothing_and_are_counted(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(100.0, "same"), records.match(100.0, "same")])
    drive.feed([records.match(100.0, "same")])
    drive.feed([records.heartbeat(900.0)])
    assert drive.findings == []
    assert drive.evaluator.metrics.counts()["repeated"] == 2


def test_a_replay_emits_the_same_ids_or_nothing(new_drive: NewDrive, new_records: NewRecords) -> None:
    log = new_records()
    everything = [log.match(time, f"e{time:.0f}") for time in TIMES] + [log.heartbeat(9000.0)]
    lost, kept = new_drive(), new_drive()
    for drive in (lost, kept):
        drive.feed(everything)
    first = {f["finding_id"] for f in kept.findings}
    kept.feed(everything)
    assert {f["finding_id"] for f in kept.findings} == first
    assert len(kept.findings) == len(first), "the states were kept: nothing is said twice"
    again = new_drive()
    again.feed(everything)
    assert again.findings == lost.findings, "the states were lost: the same is said again"


def test_groups_are_found_again_after_a_rebalance(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:3]])
    drive.evaluator.forget()
    drive.feed([records.heartbeat(900.0)])
    assert len(drive.finals()) == 1


def test_a_group_that_is_long_settled_is_deleted(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:3]])
    drive.feed([records.heartbeat(900.0)])
    assert len(drive.states.values) == 1
    drive.feed([records.heartbeat(901.0 + KEEP_IDLE_S)])
    assert drive.states.values == {}


def test_the_future_is_counted_and_moves_no_watermark(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:3]])
    drive.feed([records.heartbeat(9000.0, append=200.0)])
    assert not drive.finals()
    assert drive.evaluator.metrics.counts()["future"] == {"heartbeat": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b"{", "bad_json"),
        (b"[]", "not_an_object"),
        ({"kind": "other"}, "unknown_kind"),
        ({"kind": "match"}, "match"),
        ({"kind": "heartbeat"}, "heartbeat"),
    ],
)
def test_what_cannot_be_read_is_counted_by_name(
    new_drive: NewDrive, records: Any, value: Any, reason: str
) -> None:
    drive = new_drive()
    drive.feed([records.raw("k", value, 0, 1.0)])
    assert drive.evaluator.metrics.counts()["rejected"] == {reason: 1}
    assert not drive.states.values


def test_a_correlation_that_is_no_longer_loaded_is_counted(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    match = records.match(1.0, "e")
    renamed = match._replace(value=match.value.replace(b"7a02", b"7aff"))
    drive.feed([renamed])
    assert drive.evaluator.metrics.counts()["rejected"] == {"unknown_correlation": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_finals_are_the_same_for_any_order_duplicates_and_batches(
    new_drive: NewDrive, new_records: NewRecords, data: st.DataObject
) -> None:
    def finals(times: list[float], cuts: list[int]) -> set[bytes]:
        log, drive = new_records(), new_drive()
        feed = [log.match(time, f"e{time:.0f}") for time in times] + [log.heartbeat(9000.0)]
        bounds = [0, *sorted(cuts), len(feed)]
        for start, end in itertools.pairwise(bounds):
            drive.feed(feed[start:end])
        return drive.finals()

    order = data.draw(st.permutations(TIMES))
    doubled = order + data.draw(st.lists(st.sampled_from(TIMES), max_size=5))
    cuts = data.draw(st.lists(st.integers(0, len(doubled)), max_size=6))
    expected = finals(list(TIMES), [])
    assert len(expected) == 2
    assert finals(doubled, cuts) == expected


def test_over_the_cap_of_groups_those_are_dropped_and_named_that_hold_nothing_then_the_oldest(
    new_drive: NewDrive, test_correlations: Any, watermarks: Any, metrics: Any, records: Any
) -> None:
    drive = new_drive()
    drive.evaluator = MatchEvaluator(test_correlations, watermarks, metrics, most_groups=10)
    drive.feed([records.match(100.0 + n, f"a{n}", user="idle") for n in range(3)])
    drive.feed([records.heartbeat(900.0)])
    drive.feed([records.match(1000.0 + n, f"b{n}", user=f"u{n}") for n in range(10)])
    kept = [key.partition("|")[2] for key in drive.states.keys_of(0)]
    assert kept == [f'["u{n}"]' for n in range(1, 10)]
    assert metrics.counts()["overflow"] == {"group": 2}
    drive.feed([records.match(1001.0 + n, f"c{n}", user="u1") for n in range(2)])
    drive.feed([records.heartbeat(2000.0)])
    assert len(drive.finals()) == 2, "what was kept goes on"


def test_a_group_that_never_fired_is_deleted_once_no_match_in_time_can_join_it(
    new_drive: NewDrive, records: Any
) -> None:
    drive = new_drive()
    drive.feed([records.match(100.0, "a"), records.match(110.0, "b")])
    drive.feed([records.heartbeat(180.0)])
    assert len(drive.states.values) == 1, "the watermark is 170: a match at 170 may share a window with b"
    drive.feed([records.match(170.0, "c", user="mallory"), records.heartbeat(240.0)])
    assert [key for _, key in drive.states.values] == ['6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02|["mallory"]']


def test_matches_older_than_lateness_and_a_span_are_counted_and_make_nothing_of_a_forgotten_group(
    new_drive: NewDrive, records: Any
) -> None:
    drive = new_drive()
    drive.feed([records.match(100.0, "a"), records.match(110.0, "b"), records.heartbeat(300.0)])
    assert drive.states.values == {}
    drive.feed([records.match(100.0, "a"), records.match(110.0, "b"), records.match(120.0, "late")])
    drive.feed([records.heartbeat(900.0)])
    assert drive.findings == []
    assert drive.states.values == {}
    assert drive.evaluator.metrics.counts()["settled"] == 3


def test_a_group_that_fired_keeps_its_floor(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:3]] + [records.heartbeat(900.0)])
    drive.evaluator.forget()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[1:3]] + [records.match(140.0, "late")])
    drive.feed([records.heartbeat(900.0)])
    assert [f["status"] for f in drive.findings] == ["provisional", "final"], "what is settled stays settled"
    assert len(drive.states.values) == 1
