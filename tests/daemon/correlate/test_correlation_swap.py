"""Correlations replaced between batches: groups that mean the same go on, others are never read wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from daemon.roles.correlate.matches import Correlation, MatchEvaluator
from daemon.roles.correlate.metrics import Metrics
from daemon.roles.correlate.stamp import stamp_of
from daemon.roles.correlate.watermark import Watermarks
from detectors.sigma.correlation import Correlator
from detectors.sigma.rule import CorrelationRule

NewDrive = Callable[[], Any]
BURST = "6f1d4a2e-0c5b-4b0f-9a55-1f0d6f2b7a02"
TIMES = (100.0, 110.0, 130.0, 155.0)
Change = Callable[[CorrelationRule], CorrelationRule]


def changed(drive: Any, change: Change) -> dict[str, Correlation]:
    """Return the correlations in force, the burst's definition changed."""
    known = dict(drive.evaluator.correlations)
    rule = change(known[BURST].rule)
    known[BURST] = Correlation(rule, known[BURST].kinds, Correlator(rule), stamp_of(rule))
    return known


def version(rule: CorrelationRule) -> CorrelationRule:
    return replace(rule, identity=replace(rule.identity, version=2))


def stale(drive: Any) -> dict[str, int]:
    return drive.evaluator.metrics.counts()["stale"] or {}


def test_a_set_that_means_the_same_goes_on_with_open_groups(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:2]])
    drive.evaluator.swap(
        changed(drive, lambda rule: replace(rule, identity=replace(rule.identity, title="x")))
    )
    drive.feed([records.match(TIMES[2], "e130"), records.heartbeat(900.0)])
    assert [f["event_ids"] for f in drive.findings if f["status"] == "final"] == [["e100", "e110", "e130"]]
    assert drive.findings[-1]["title"] == "x" and stale(drive) == {}


def test_another_bound_judges_what_is_held(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:2]])
    drive.evaluator.swap(changed(drive, lambda rule: replace(rule, count=2)))
    drive.feed([records.match(TIMES[2], "e130"), records.heartbeat(900.0)])
    assert [f["event_ids"] for f in drive.findings if f["status"] == "final"] == [["e100", "e110", "e130"]]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("change", [version, lambda rule: replace(rule, group_by=("user.groups",))])
def test_a_state_of_another_definition_is_dropped_unread_and_counted(
    new_drive: NewDrive, records: Any, change: Change, restarted: bool
) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:2]])
    drive.evaluator.swap(changed(drive, change))
    if restarted:
        drive.evaluator.forget()
    drive.feed([records.match(TIMES[2], "e130"), records.match(TIMES[3], "e155")])
    assert stale(drive) == {"changed": 1}
    drive.feed([records.heartbeat(900.0)])
    assert drive.findings == [], "two old matches and two new ones are not three"
    drive.feed([records.match(time + 1000, f"late{time:.0f}") for time in TIMES])
    drive.feed([records.heartbeat(9000.0)])
    assert len(drive.finals()) == 1, "the new definition begins anew"


def test_a_state_that_bears_no_stamp_is_not_read(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES[:2]])
    (owner,) = drive.states.values
    drive.states.values[owner] = drive.states.values[owner].partition(b',"of"')[0] + b"}"
    drive.evaluator.forget()
    drive.feed([records.match(TIMES[2], "e130"), records.heartbeat(900.0)])
    assert not drive.finals() and stale(drive) == {"changed": 1}


def test_an_old_group_that_gets_no_match_is_cleared_when_it_is_due(new_drive: NewDrive, records: Any) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES])
    drive.evaluator.swap(changed(drive, version))
    drive.feed([records.heartbeat(900.0)])
    assert drive.states.values == {} and stale(drive) == {"changed": 1} and not drive.finals()


def test_groups_of_a_correlation_taken_out_are_deleted_with_the_next_batches(
    new_drive: NewDrive,
    records: Any,
    test_correlations: dict[str, Correlation],
    watermarks: Callable[[], Watermarks],
    metrics: Metrics,
) -> None:
    drive = new_drive()
    drive.evaluator = MatchEvaluator(test_correlations, watermarks, metrics, most_gone=4)
    drive.feed([records.match(100.0, f"e{n}", user=f"user{n}") for n in range(10)])
    rest = {name: one for name, one in drive.evaluator.correlations.items() if name != BURST}
    drive.evaluator.swap(rest)
    left: list[int] = []
    for at in (101.0, 102.0, 103.0):
        drive.feed([records.heartbeat(at)])
        left.append(len(drive.states.values))
    assert left == [6, 2, 0] and stale(drive) == {"removed": 10}


def test_a_correlation_that_comes_back_at_once_has_its_groups_and_wakes_them(
    new_drive: NewDrive, records: Any
) -> None:
    drive = new_drive()
    drive.feed([records.match(time, f"e{time:.0f}") for time in TIMES])
    whole = dict(drive.evaluator.correlations)
    drive.evaluator.swap({})
    drive.evaluator.swap(whole)
    drive.feed([records.heartbeat(900.0)])
    assert len(drive.finals()) == 1 and stale(drive) == {}
