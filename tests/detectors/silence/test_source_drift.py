"""Clock skew: ahead at once, behind beyond what is usual of the source."""

from __future__ import annotations

from typing import Any

from detectors.silence.clock import DAY, WEEK

SKEW = "davylamp-source-clock-skew"


def test_events_from_after_their_arrival_are_found_without_learning(watched: Any) -> None:
    assert watched.feed(3, delay_s=-240) == []
    (finding,) = watched.feed(DAY, delay_s=-400)
    assert finding.rule_id == SKEW and "7 minutes or more ahead of their arrival" in finding.explain


def test_a_source_that_is_always_late_is_late_only_beyond_that(watched: Any) -> None:
    assert watched.feed(2 * WEEK, delay_s=900) == []
    assert watched.feed(DAY, delay_s=1140) == []
    (finding,) = watched.feed(DAY, delay_s=1500)
    assert "25 minutes or more behind" in finding.explain and "15 to 19 minutes" in finding.explain


def test_a_late_source_whose_clock_runs_ahead_is_found_although_it_is_not_five_minutes_ahead(
    watched: Any,
) -> None:
    watched.feed(2 * WEEK, delay_s=480)
    assert watched.feed(DAY, delay_s=60) == []
    assert len(watched.feed(DAY, delay_s=-300)) == 1


def test_a_skew_is_said_once_until_it_is_over(watched: Any) -> None:
    watched.feed(WEEK)
    assert len(watched.feed(2 * DAY, delay_s=-600)) == 1
    assert watched.feed(DAY) == []
    assert len(watched.feed(DAY, delay_s=-600)) == 1


def test_few_events_are_gathered_until_they_say_something(watched: Any) -> None:
    watched.feed(WEEK)
    (finding,) = watched.feed(2 * DAY, lambda _hour: 5, delay_s=-900)[:1]
    assert finding.rule_id == SKEW or finding.rule_id.startswith("davylamp-source")
    assert SKEW in [f.rule_id for f in watched.findings]
