"""The comparison of a replay: bounded, the same id first, and each finding paired once."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from config.detection import Detection
from connectors.sources.catalogue import KINDS, profile
from daemon.cli.replay_report import Report
from daemon.replaying import Replaying, TooMuchError, crossing, reaches
from daemon.replaying_comparison import Comparison, Difference, Edges
from daemon.ruleset import ruleset
from daemon.scan_tally import Period, Tally
from detectors.finding import Finding

ALL = Edges(0.0, 1_000.0, {"burst": 60.0})


def finding(number: int, events: tuple[str, ...], **changes: Any) -> Finding:
    made: dict[str, Any] = {
        "rule_id": "burst",
        "title": "Burst",
        "level": "high",
        "base_level": "high",
        "status": "final",
        "source": "cloudtrail",
        "event_id": events[-1],
        "event_ids": events,
        "event_time": 500.0,
        "first_time": 500.0,
        "last_time": 500.0,
        "count": len(events),
        "entities": (),
        "attack": (),
        "explain": "a burst",
        "finding_id": f"id-{number}",
    }
    return Finding(**made | changes)


def compared(stored: list[Finding], replayed: list[Finding], edges: Edges = ALL) -> list[Difference]:
    comparison = Comparison(edges)
    for one in stored:
        comparison.store(one, {})
    return [*filter(None, map(comparison.meet, replayed)), *comparison.rest()]


def test_the_same_id_wins_over_the_same_event() -> None:
    old = finding(1, ("a", "b"))
    other = finding(2, ("a", "c"))
    assert compared([old], [other, old]) == [Difference("new", None, found(other))]
    assert [one.verdict for one in compared([old], [other])] == ["changed"]


def found(one: Finding) -> Any:
    (difference,) = compared([], [one])
    return difference.replayed


def test_a_stored_finding_is_paired_once_also_by_its_last_event() -> None:
    old = finding(1, ("b", "c"))
    first, second = finding(2, ("a", "b", "c")), finding(3, ("b", "d"))
    told = compared([old], [first, second])
    assert sorted(one.verdict for one in told) == ["changed", "new"]
    assert compared([old], [first])[0].differs == ("3 events, was 2",)


@pytest.mark.parametrize(("first", "last", "verdict"), [(60, 939, "gone"), (59, 59, "at the edge")])
def test_the_edge_is_as_wide_as_the_rule_looks(first: float, last: float, verdict: str) -> None:
    one = finding(1, ("a",), first_time=float(first), last_time=float(last))
    assert [d.verdict for d in compared([one], [])] == [verdict]
    late = finding(1, ("a",), first_time=500.0, last_time=940.0)
    assert [d.verdict for d in compared([], [late])] == ["at the edge"]
    plain = finding(1, ("a",), rule_id="alone", first_time=0.0, last_time=999.999)
    assert [d.verdict for d in compared([plain], [])] == ["gone"]


def test_more_than_fits_is_refused_or_counted_never_dropped() -> None:
    small = Comparison(ALL, most=2, most_new=1)
    for number in (1, 2, 2):
        small.store(finding(number, (f"s{number}",)), {})
    with pytest.raises(TooMuchError, match="over 2 stored findings: take a shorter period"):
        small.store(finding(3, ("s3",)), {})
    for number in (11, 11, 12, 12):
        small.meet(finding(number, (f"n{number}",)))
    assert small.total("new") == 3, "the id of 12 did not fit: it counts again"


def test_a_junit_report_fails_for_what_it_does_not_name() -> None:
    report = Report("cloudtrail", Period(), Comparison(ALL), Tally(), lines=False, most=1)
    for number in range(4):
        report.take(report.comparison.meet(finding(number, (f"n{number}",))))
    (suite,) = ElementTree.fromstring(report.junit())
    assert [case.get("name") for case in suite] == ["new id-0", "3 more"]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")


def test_shipped_correlations_are_sorted_into_comparable_and_not() -> None:
    rules = ruleset(Detection())
    spans = reaches(rules.correlations)
    assert set(spans) == {item.id for item in rules.correlations}
    assert all(spans[item.id] >= item.timespan_s for item in rules.correlations)
    for kind in KINDS:
        assert set(crossing(rules, kind)) <= set(spans)
        Replaying(profile(kind), rules, Period(), 1024)
