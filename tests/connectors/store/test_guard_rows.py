"""The guards that bound reach, on both databases: each judged in the transaction that queues."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, update

from config.schedules import FreezeWindow
from connectors.store import switches
from connectors.store.exposure import open_breakers
from connectors.store.planned_row import row_of
from connectors.store.promotion import promote
from connectors.store.schema import actions, approvals, timeline
from detectors.identifier import derive
from playbooks.denial import Denial
from playbooks.plan import rotation_plan
from playbooks.policy import Safety
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
KIND = "database_static_role"


def analytics(database):
    """Return the action on `analytics` that the theft led to."""
    with database.reading() as connection:
        query = select(actions).where(
            actions.c.name == "analytics", actions.c.drill.is_(False), actions.c.trigger_time == NOW - 5
        )
        return connection.execute(query).mappings().one()


def verdict(database, name):
    row = analytics(database)
    return next(one for one in json.loads(row["guards"]) if one["name"] == name)


def approve(database, *people, at=NOW + 1):
    row = analytics(database)
    with database.transaction() as connection:
        for person in people:
            values = {
                "action_id": row["id"],
                "approver": person,
                "decision": "approve",
                "at": at,
                "via": "api",
            }
            connection.execute(insert(approvals).values(digest=row["digest"], **values))


@pytest.fixture
def other(database, policy):
    """A function that puts another action into the tables."""

    def put(name="other", state="succeeded", ago=60.0, *, owner="somebody", **values):
        target = TargetRef(KIND, "database", name, "internal", owner)
        plan = rotation_plan(target, policy, policy.playbooks["leaked-credential"], epoch=0, incident_id=None)
        row = row_of(plan, target, policy, NOW - ago, drill=False, requester="davylamp")
        row |= {"id": derive("test", name, str(ago)), "trigger_time": NOW - ago, "state": state}
        row |= {"queued_at": NOW - ago, "finished_at": NOW - ago} | values
        with database.transaction() as connection:
            connection.execute(insert(actions).values(row))

    return put


@pytest.fixture
def ready(feed, theft, drilled):
    """A rotation with nothing against it."""
    drilled()
    feed(*theft.values())


def test_nothing_of_this_holds_a_first_rotation(database, policy, ready):
    (moved,) = promote(database, NOW, policy)
    assert (moved.state, moved.auto) == ("queued", True)


def test_one_more_than_the_share_of_a_kind_is_proposed_and_a_person_lifts_it(database, policy, ready, other):
    other("one")
    promote(database, NOW, replace(policy, safety=Safety(kind_floor=1)))
    assert analytics(database)["state"] == "proposed"
    assert not verdict(database, "kind_share")["passed"]
    approve(database, "alice")
    promote(database, NOW + 2, replace(policy, safety=Safety(kind_floor=1)))
    assert analytics(database)["state"] == "queued"


def test_a_share_grows_with_the_number_of_targets(database, policy, ready, other):
    other("one")
    many = tuple(TargetRef(KIND, "database", f"t{n}", "internal", "o") for n in range(18))
    wide = replace(policy, targets=(*policy.targets, *many), safety=Safety(kind_floor=1, kind_share=0.1))
    promote(database, NOW, wide)
    assert analytics(database)["state"] == "queued"


def test_what_was_done_more_than_an_hour_ago_or_as_a_drill_is_not_counted(database, policy, ready, other):
    other("old", ago=3601.0)
    other("rehearsal", drill=True)
    promote(database, NOW, replace(policy, safety=Safety(kind_floor=1)))
    assert analytics(database)["state"] == "queued"


@pytest.mark.parametrize(
    ("state", "lease", "queued"),
    [
        ("executing", "w", False),
        ("verifying", "w", False),
        ("queued", None, False),
        ("executing", None, True),
    ],
)
def test_only_so_many_are_at_work_at_once_and_approvals_do_not_lift_that(
    database, policy, ready, other, state, lease, queued
):
    other("one", state, lease_owner=lease)
    small = replace(policy, safety=Safety(at_once=1))
    approve(database, "alice")
    promote(database, NOW, small)
    assert (analytics(database)["state"] == "queued") is queued
    with database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.name == "one").values(state="succeeded"))
    promote(database, NOW + 1, small)
    assert analytics(database)["state"] == "queued"


def test_the_next_target_of_an_incident_waits_for_the_first_ones_proof(database, policy, ready, other):
    incident = analytics(database)["incident_id"]
    other("first", "verify_failed", incident_id=incident, ago=3700.0)
    promote(database, NOW, policy)
    assert not verdict(database, "canary")["passed"]
    with database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.name == "first").values(state="succeeded"))
    promote(database, NOW + 1, policy)
    assert analytics(database)["state"] == "queued"


def test_two_failures_open_a_breaker_and_a_person_closes_it(database, policy, ready, other):
    other("one", "failed", 120.0)
    other("two", "needs_human", 60.0)
    promote(database, NOW, policy)
    assert not verdict(database, "breaker")["passed"]
    with database.transaction() as connection:
        assert open_breakers(connection, policy.safety, NOW) == {"rotate.credential": 2}
        switches.close_breaker(connection, "rotate.credential", "operator", NOW)
        assert open_breakers(connection, policy.safety, NOW) == {}
        assert switches.engaged(connection) == frozenset()
    promote(database, NOW + 1, replace(policy, safety=Safety(kind_floor=9)))
    assert analytics(database)["state"] == "queued"


def test_failures_of_before_the_window_are_forgotten(database, policy, ready, other):
    other("one", "failed", 3700.0)
    other("two", "failed", 3650.0)
    promote(database, NOW, policy)
    assert analytics(database)["state"] == "queued"


def window(**narrow):
    begin, end = datetime.fromtimestamp(NOW - 60, UTC), datetime.fromtimestamp(NOW + 600, UTC)
    return FreezeWindow(name="quarter-end", begin=begin, end=end, **narrow)


@pytest.mark.parametrize("narrow", [{}, {"owners": ("data-platform",)}, {"targets": ("database/analytics",)}])
def test_a_freeze_holds_and_two_people_contain_all_the_same(database, policy, ready, narrow):
    frozen = replace(policy, freezes=(window(**narrow),))
    promote(database, NOW, frozen)
    assert (analytics(database)["state"], analytics(database)["needed"]) == ("proposed", 2)
    assert "frozen by quarter-end" in verdict(database, "freeze")["reason"]
    approve(database, "alice")
    promote(database, NOW + 2, frozen)
    assert analytics(database)["state"] == "proposed"
    approve(database, "bob", at=NOW + 3)
    promote(database, NOW + 4, frozen)
    assert analytics(database)["state"] == "queued"


def test_an_orderly_rotation_waits_for_the_end_of_the_freeze(database, policy, ready):
    book = policy.playbooks["leaked-credential"]
    steps = tuple(
        step.model_copy(update={"mode": "orderly"}) if step.verb == "rotate.credential" else step
        for step in book.steps
    )
    orderly = replace(
        policy, playbooks={**policy.playbooks, book.id: book.model_copy(update={"steps": steps})}
    )
    frozen = replace(orderly, freezes=(window(owners=("data-platform",)),))
    promote(database, NOW, frozen)
    approve(database, "alice", "bob")
    promote(database, NOW + 2, frozen)
    assert analytics(database)["state"] == "proposed"
    promote(database, NOW + 601, frozen)
    assert analytics(database)["state"] == "queued"


def test_a_freeze_of_others_says_nothing(database, policy, ready):
    promote(database, NOW, replace(policy, freezes=(window(owners=("crm",)),)))
    assert analytics(database)["state"] == "queued"


ENTRIES = {
    "by key": Denial("break-glass", targets=("*:database/ana*",)),
    "by entity": Denial("break-glass", entities=frozenset({("credential", "x")})),
    "by login": Denial("break-glass", logins=frozenset({"davylamp"})),
}


@pytest.mark.parametrize("how", ENTRIES)
def test_what_is_denied_later_is_rejected_by_the_entrys_name_whoever_approves(database, policy, ready, how):
    (target, *others) = policy.targets
    named = replace(target, named_as=(("credential", "x"),), login="Davylamp")
    denied = replace(policy, targets=(named, *others), denials=(ENTRIES[how],))
    approve(database, "alice", "bob")
    promote(database, NOW + 2, denied)
    assert analytics(database)["state"] == "rejected"
    assert analytics(database)["reason"] == "deny_list: on the deny list: break-glass"


def test_what_is_denied_is_never_proposed_and_the_timeline_names_the_entry_once(
    database, feed, policy, make_finding
):
    denied = replace(policy, denials=(ENTRIES["by key"],))
    credential = ("credential", "database:database/analytics", "target")
    feed(make_finding("a", credential, event="a"), using=denied)
    feed(make_finding("a", credential, event="b"), using=denied)
    with database.reading() as connection:
        assert connection.execute(select(actions.c.id)).all() == []
        told = connection.execute(select(timeline.c.text).where(timeline.c.kind == "denied")).scalars().all()
    assert told == ["database_static_role:database/analytics is on the deny list: break-glass"]
