"""When a routine rotation is due: jitter from ids, a name before a class, and the last missed time only."""

from __future__ import annotations

from config.schedules import Schedule
from playbooks.schedule import Timetable, due, jitter_of, next_due
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
DAY = 86_400.0


def target(name="analytics", classification="internal"):
    return TargetRef("database_static_role", "database", name, classification, "data")


def schedule(**changes):
    return Schedule(**{"name": "daily", "cron": "0 3 * * *", "classes": ["internal"], **changes})


def test_jitter_is_the_same_each_time_and_spreads_targets():
    late = [jitter_of(schedule(jitter_s=3600), target(f"t{number}")) for number in range(200)]
    assert late == [jitter_of(schedule(jitter_s=3600), target(f"t{number}")) for number in range(200)]
    assert min(late) >= 0
    assert max(late) <= 3600
    assert len({int(one // 600) for one in late}) >= 6
    assert jitter_of(schedule(jitter_s=0), target()) == 0


def test_due_is_the_latest_time_that_has_come():
    one = due(schedule(), target(), NOW)
    assert one.at == one.slot + jitter_of(schedule(), target())
    assert NOW - DAY < one.at <= NOW
    assert due(schedule(), target(), one.at) == one
    assert due(schedule(), target(), one.at - 1).slot == one.slot - DAY
    assert next_due(schedule(), target(), NOW) == one.at + DAY


def test_an_action_is_called_by_schedule_target_and_minute_only():
    one = due(schedule(jitter_s=0), target(), NOW)
    assert one.action_id == due(schedule(jitter_s=0, late_s=60), target(), NOW + 60).action_id
    others = {
        due(schedule(name="other", jitter_s=0), target(), NOW).action_id,
        due(schedule(jitter_s=0), target("other"), NOW).action_id,
        due(schedule(jitter_s=0), target(), NOW + DAY).action_id,
    }
    assert len(others | {one.action_id}) == 4


def test_a_target_that_is_named_leaves_its_class():
    named = schedule(name="hourly", cron="0 * * * *", classes=[], targets=["database/analytics"])
    table = Timetable((schedule(), named))
    both = [target(), target("reports"), target("secret", "restricted")]
    found = {(plan.name, one.name) for plan, one in table.scheduled(both)}
    assert found == {("hourly", "analytics"), ("daily", "reports")}


def test_a_kind_without_a_successor_is_in_no_schedule_and_never_too_old():
    table = Timetable((schedule(),), (), {"internal": 1.0}, lambda _kind: False)
    assert table.scheduled([target()]) == ()
    assert table.max_age_s(target()) is None
