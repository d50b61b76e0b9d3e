"""Schedules become actions: each due time once, whoever sees it; frozen, missed, late and failed ones."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, update

from config.schedules import FreezeWindow, Schedule
from connectors.store.overdue import overdue
from connectors.store.promotion import promote
from connectors.store.routine import RoutineStore
from connectors.store.routine_trouble import open_incidents
from connectors.store.schema import actions, approvals, audit, findings, incidents, targets
from playbooks.schedule import Timetable, due
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
ANALYTICS = TargetRef("database_static_role", "database", "analytics", "internal", "data-platform")
RECORDS = TargetRef("database_static_role", "database", "customer-records", "restricted", "crm")


def daily(**changes):
    given = {"name": "daily", "cron": "0 3 * * *", "classes": ["internal"], "jitter_s": 600, **changes}
    return Timetable((Schedule(**given),))


def in_force(database, timetable, policy, at=NOW - 30 * DAY):
    """A store that has known the timetable since `at`, as a worker does that was there all the time."""
    store = RoutineStore(database)
    assert store.propose(at, timetable, policy) == []
    return store


def rows(database):
    with database.reading() as connection:
        return list(connection.execute(select(actions).order_by(actions.c.created_at)).mappings())


def test_a_schedule_asks_for_nothing_from_before_it_was_there(database, policy):
    assert RoutineStore(database).propose(NOW, daily(), policy) == []
    assert rows(database) == []


def test_what_is_due_becomes_one_orderly_proposal(database, policy):
    made = in_force(database, daily(), policy).propose(NOW, daily(), policy)

    (row,) = rows(database)
    assert [one.action_id for one in made] == [row["id"]]
    assert row["target_key"] == ANALYTICS.key
    assert (row["mode"], row["requester"], row["incident_id"]) == ("orderly", "schedule:daily", None)
    assert row["playbook_id"] == policy.playbooks[row["playbook_id"]].id
    assert row["trigger_time"] == due(daily().schedules[0], ANALYTICS, NOW).at


def test_a_restart_and_a_second_worker_ask_for_nothing_twice(database, policy):
    in_force(database, daily(), policy)
    workers = [RoutineStore(database) for _ in range(2)]
    threads = [threading.Thread(target=w.propose, args=(NOW, daily(), policy)) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(database)) == 1
    with database.transaction() as connection:
        connection.execute(update(actions).values(state="succeeded"))
    assert RoutineStore(database).propose(NOW + HOUR, daily(), policy) == []


def test_another_jitter_does_not_run_the_same_minute_again(database, policy):
    in_force(database, daily(), policy).propose(NOW, daily(), policy)
    with database.transaction() as connection:
        connection.execute(update(actions).values(state="failed"))
    assert RoutineStore(database).propose(NOW, daily(jitter_s=0), policy) == []


def test_a_week_missed_runs_once_and_the_audit_says_how_late(database, policy):
    table = daily()
    made = in_force(database, table, policy, NOW - 7 * DAY).propose(NOW, table, policy)
    assert len(made) == len(rows(database)) == 1
    with database.reading() as connection:
        detail = connection.execute(
            select(audit.c.detail).where(audit.c.action == "schedule.due").order_by(audit.c.seq.desc())
        ).scalar()
    assert f'"late_s":{round(NOW - made[0].at, 3):g}' in detail.replace(".0,", ",").replace(".0}", "}")


def test_a_rotation_since_then_satisfies_the_schedule(database, policy, rotated):
    store = in_force(database, daily(), policy)
    rotated(ANALYTICS.key, 60)
    assert store.propose(NOW, daily(), policy) == []


def test_nothing_begins_in_a_freeze_window_and_one_when_it_ends(database, policy):
    until = datetime.fromtimestamp(NOW + HOUR, UTC)
    window = FreezeWindow(
        name="release", begin=datetime.fromtimestamp(NOW - 3 * DAY, UTC), end=until, owners=["data-platform"]
    )
    table = replace(daily(), windows=(window,))
    store = in_force(database, table, policy, NOW - 10 * DAY)
    assert store.propose(NOW, table, policy) == []
    assert len(store.propose(NOW + HOUR, table, policy)) == 1


def test_a_proposal_that_still_waits_keeps_the_next_from_coming(database, policy):
    store = in_force(database, daily(), policy)
    store.propose(NOW, daily(), policy)
    assert store.propose(NOW + DAY, daily(), policy) == []


def test_in_auto_mode_an_internal_target_that_was_drilled_starts_by_itself(database, policy, drilled):
    drilled()
    store = in_force(database, daily(), policy)
    store.propose(NOW, daily(), policy)
    moved = [one for one in promote(database, NOW, policy) if one.state == "queued"]
    assert len(moved) == 1
    assert moved[0].auto


@pytest.mark.parametrize("change", ["undrilled", "propose", "restricted"])
def test_whatever_needs_people_for_an_incident_needs_them_for_a_schedule(database, policy, drilled, change):
    table = daily(classes=["internal", "restricted"])
    store = in_force(database, table, policy)
    if change != "undrilled":
        drilled(ANALYTICS)
        drilled(RECORDS)
    using = replace(policy, mode="propose" if change == "propose" else "auto")
    if change == "restricted":
        using = replace(using, targets=(RECORDS,))
    store.propose(NOW, table, using)
    promote(database, NOW, using)
    waiting = [row for row in rows(database) if row["requester"].startswith("schedule:")]
    assert {row["state"] for row in waiting} == {"proposed"}
    assert min(row["needed"] for row in waiting) == (2 if change == "restricted" else 1)


def test_approved_by_people_the_plan_stays_what_they_approved(database, policy):
    store = in_force(database, daily(), policy)
    using = replace(policy, mode="propose")
    store.propose(NOW, daily(), using)
    promote(database, NOW, using)
    (row,) = rows(database)
    vote = {"action_id": row["id"], "approver": "alice", "decision": "approve", "digest": row["digest"]}
    with database.transaction() as connection:
        connection.execute(insert(approvals).values(**vote, at=NOW, via="page"))
    promote(database, NOW + 1, using)
    (row,) = rows(database)
    assert (row["state"], row["mode"], row["auto"]) == ("queued", "orderly", False)


def test_routine_rotations_do_not_use_up_what_incidents_may_do(database, policy, drilled, feed, theft):
    drilled()
    store = in_force(database, daily(), policy)
    caps = replace(policy.caps, per_owner_hour=1, site_hour=2)
    using = replace(policy, caps=caps)
    store.propose(NOW - 3500, daily(), using)
    assert [one.state for one in promote(database, NOW - 3500, using)] == ["queued"]
    with database.transaction() as connection:
        connection.execute(update(actions).values(state="succeeded", finished_at=NOW - 3400))
    feed(theft["alias"], theft["exec"], theft["read"], using=using)
    states = [one.state for one in promote(database, NOW, using) if one.auto]
    assert states == ["queued"]


def test_one_that_ended_badly_opens_one_incident(database, policy):
    store = in_force(database, daily(), policy)
    (one,) = store.propose(NOW, daily(), policy)
    with database.transaction() as connection:
        values = {"state": "verify_failed", "reason": "the old password still logs in", "finished_at": NOW}
        connection.execute(update(actions).where(actions.c.id == one.action_id).values(values))
    assert len(open_incidents(database, NOW + 1, policy)) == 1
    assert open_incidents(database, NOW + 2, policy) == ()
    with database.reading() as connection:
        (row,) = connection.execute(select(incidents)).mappings()
        (finding,) = connection.execute(select(findings.c.document)).scalars()
    assert (row["playbook_id"], row["level"]) == ("rotation-trouble", "high")
    assert "still logs in" in finding


def test_late_is_from_the_first_time_that_nobody_kept(database, policy):
    table = daily(late_s=2 * DAY)
    in_force(database, table, policy, NOW - 10 * DAY)
    with database.reading() as connection:
        (one,) = overdue(connection, policy.targets, table, NOW)
    assert (one.why, one.schedule, one.target.key) == ("late", "daily", ANALYTICS.key)
    assert one.since is not None
    assert 9 * DAY < NOW - one.since <= 10 * DAY


def test_a_proof_in_time_is_not_late_and_an_old_one_is_too_old(database, policy):
    table = replace(daily(late_s=2 * DAY), max_age_days={"internal": 30, "restricted": 90})
    in_force(database, table, policy, NOW - 100 * DAY)
    with database.transaction() as connection:
        connection.execute(insert(targets).values(key=ANALYTICS.key, epoch=1, verified_at=NOW - DAY))
    with database.reading() as connection:
        found = {(one.target.key, one.why) for one in overdue(connection, policy.targets, table, NOW)}
    assert found == {(RECORDS.key, "never_proven")}
    with database.reading() as connection:
        later = overdue(connection, policy.targets, table, NOW + 40 * DAY)
    assert {(one.target.key, one.why) for one in later} == {
        (ANALYTICS.key, "late"),
        (ANALYTICS.key, "too_old"),
        (RECORDS.key, "never_proven"),
    }
