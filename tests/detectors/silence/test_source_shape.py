"""Fields that go missing, and all that is no shift of the schema."""

from __future__ import annotations

from typing import Any

from detectors.silence.clock import DAY, WEEK

SHIFT = "davylamp-source-schema-shift"
USUAL = {"user": 1.0, "verb": 1.0, "object.name": 0.6, "error": 0.05}


def test_fields_that_vanish_are_named_together_once(watched: Any) -> None:
    watched.feed(2 * WEEK)
    (finding,) = watched.feed(DAY, shares={"verb": 1.0, "subject": 1.0, "error": 0.05})
    assert finding.rule_id == SHIFT and finding.level == "medium"
    assert "user (0%, never under 100% before)" in finding.explain and "object.name" in finding.explain
    assert "error" not in finding.explain


def test_a_field_in_under_half_of_its_usual_share_is_found_and_its_return_ends_it(watched: Any) -> None:
    watched.feed(2 * WEEK)
    assert len(watched.feed(DAY, shares=USUAL | {"user": 0.4})) == 1
    assert watched.feed(DAY) == []
    assert len(watched.feed(DAY, shares=USUAL | {"user": 0.4})) == 1
    watched.feed(DAY)
    assert watched.feed(DAY, shares=USUAL | {"user": 0.6}) == []


def test_a_flood_of_other_events_is_no_shift(watched: Any) -> None:
    watched.feed(2 * WEEK)
    flood = {"user": 0.05, "verb": 1.0, "object.name": 0.03}
    assert watched.feed(3, lambda _hour: 120_000, shares=flood) == []
    watched.feed(1)
    assert "user" in watched.feed(3, shares=flood)[0].explain, "the flood taught nothing"


def test_rare_fields_and_fields_that_come_new_say_nothing(watched: Any) -> None:
    watched.feed(2 * WEEK)
    assert watched.feed(DAY, shares=USUAL | {"error": 0.0}) == []
    assert watched.feed(2 * DAY, shares=USUAL | {"added": 1.0}) == []
    assert watched.feed(DAY) == []


def test_names_that_an_attacker_invents_push_out_no_usual_field(watched: Any) -> None:
    watched.feed(2 * WEEK)
    for number in range(60):
        junk = {f"junk{number}-{n}": 1.0 for n in range(250)}
        assert watched.feed(1, shares=USUAL | junk) == []
    assert len(watched.watch.shape.known) <= 256
    (finding,) = watched.feed(DAY, shares={"verb": 1.0, "object.name": 0.6})
    assert "user" in finding.explain


def test_a_permanent_change_is_usual_after_a_week(watched: Any) -> None:
    watched.feed(2 * WEEK)
    changed = {"verb": 1.0, "object.name": 0.6}
    assert len(watched.feed(WEEK + DAY, shares=changed)) == 1
    assert watched.feed(WEEK, shares=changed) == []
