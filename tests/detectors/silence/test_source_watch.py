"""The watch over a source: what it says of silence and drops, and all it must not say."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from detectors.silence.clock import DAY, SLOTS, WEEK, weekend
from detectors.silence.history import KEPT
from detectors.silence.tally import Tally

SILENT, DROP = "davylamp-source-silent", "davylamp-source-volume-drop"


def rules(findings: list[Any]) -> list[str]:
    return [finding.rule_id for finding in findings]


def office(hour: int) -> int:
    return 1200 if 8 <= hour % DAY < 17 and not weekend(hour) else 0


def test_a_busy_source_that_falls_silent_is_high_after_twenty_minutes_and_said_once(watched: Any) -> None:
    assert watched.feed(2 * WEEK) == []
    hour = watched.hour
    watched.feed_hour(Tally([1000, 1000, 0, 0, 0, 0]))
    watched.feed(30, lambda _hour: 0)
    (finding,) = watched.findings
    assert finding.rule_id == SILENT and finding.level == "high"
    assert finding.last_time == hour * 3600 + 2400 and finding.first_time == hour * 3600 + 1200
    assert "0 events in the 20 minutes" in finding.explain
    assert finding.entities[0].id == "kafka/k8s.audit" and finding.labels["playbook"] == "log-tampering"


def test_silence_of_the_mesh_is_medium(new_watched: Callable[[str], Any]) -> None:
    mesh = new_watched("istio_access")
    mesh.feed(2 * WEEK)
    assert [f.level for f in mesh.feed(2, lambda _hour: 0)] == ["medium"]


def test_a_drop_is_said_once_and_again_after_it_was_over(watched: Any) -> None:
    watched.feed(2 * WEEK)
    found = watched.feed(10, lambda _hour: 1500)
    assert rules(found) == [DROP] and found[0].level == "medium"
    assert "1500 events in the 1 hour" in found[0].explain and "at least 6000" in found[0].explain
    assert watched.feed(10) == []
    assert rules(watched.feed(10, lambda _hour: 1500)) == [DROP]


def test_half_of_the_floor_is_no_drop(watched: Any) -> None:
    watched.feed(2 * WEEK)
    assert watched.feed(DAY, lambda _hour: 3100) == []


def test_nothing_is_said_while_learning(watched: Any) -> None:
    assert watched.feed(3 * DAY) == []
    assert watched.feed(3 * DAY, lambda _hour: 0) == []


def test_quiet_nights_and_weekends_raise_nothing_but_a_silent_morning_does(watched: Any) -> None:
    assert watched.feed(5 * WEEK, office) == []
    while not office(watched.hour):
        assert watched.feed(1, office) == []
    assert rules(watched.feed(3, lambda _hour: 0)) == [SILENT]


def test_a_burst_moves_no_floor(watched: Any) -> None:
    watched.feed(2 * WEEK)
    watched.feed(3, lambda _hour: 500_000)
    assert watched.feed(3 * WEEK) == []


@pytest.mark.parametrize("low", [0, 900])
def test_hours_of_an_episode_teach_nothing(watched: Any, low: int) -> None:
    watched.feed(2 * WEEK)
    watched.feed(12, lambda _hour: low)
    watched.feed(WEEK - 12)
    assert len(rules(watched.feed(12, lambda _hour: low))) == 1


def test_a_source_that_stays_smaller_becomes_usual_after_a_week(watched: Any) -> None:
    watched.feed(3 * WEEK)
    assert rules(watched.feed(WEEK, lambda _hour: 1500)) == [DROP]
    assert watched.feed(2 * WEEK, lambda _hour: 1500) == []


def test_a_source_that_stays_silent_is_said_again_and_then_forgotten(watched: Any) -> None:
    watched.feed(2 * WEEK)
    found = watched.feed(4 * WEEK, lambda _hour: 0)
    assert set(rules(found)) == {SILENT} and 2 <= len(found) <= 5
    watched.feed(KEPT, lambda _hour: 0)
    assert watched.feed(3 * DAY, lambda _hour: 0) == []


def test_a_small_source_is_judged_over_a_day(watched: Any) -> None:
    watched.feed(3 * WEEK, lambda _hour: 1)
    start = watched.hour
    finding = watched.feed(2 * DAY, lambda _hour: 0)[-1]
    assert finding.rule_id == SILENT and finding.last_time - start * 3600 <= 25 * 3600


def test_a_daily_job_that_comes_an_hour_late_is_no_drop(watched: Any) -> None:
    def nightly(at: int) -> Callable[[int], int]:
        return lambda hour: 9000 if hour % DAY == at else 40

    watched.feed(3 * WEEK, nightly(1))
    assert watched.feed(DAY, nightly(2)) == []
    assert watched.feed(DAY, nightly(1)) == []
    assert rules(watched.feed(DAY, lambda _hour: 40)) == [DROP]


def test_a_source_too_small_to_be_judged_says_nothing(watched: Any) -> None:
    watched.feed(3 * WEEK, lambda hour: hour % 2)
    assert watched.feed(2 * DAY, lambda _hour: 0) == []


def test_events_in_clumps_are_not_taken_for_a_drop(watched: Any) -> None:
    draw = random.Random(7)
    assert (
        watched.feed(6 * WEEK, lambda _hour: sum(draw.randrange(300) for _ in range(draw.randrange(4, 16))))
        == []
    )


def test_a_gap_longer_than_the_memory_begins_anew(watched: Any) -> None:
    watched.feed(2 * WEEK)
    until = (watched.hour + KEPT + WEEK) * SLOTS
    assert watched.watch.advance(until, {}, 7 * DAY) == []
    assert watched.watch.slot == until and watched.watch.silent is None


def test_the_state_stays_small(watched: Any) -> None:
    watched.feed(KEPT + 3 * DAY, lambda hour: 40_000 + hour % 977)
    assert len(orjson.dumps(watched.watch.to_json())) < 40_000
    assert len(watched.watch.history.events) <= KEPT + DAY
