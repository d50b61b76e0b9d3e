"""Leases of a dynamic role, revoked and proven by PostgreSQL: one, all, the thief's open session, the cap."""

from __future__ import annotations

import psycopg
import pytest

pytestmark = pytest.mark.integration


def lease(scene, target):
    """Return (instance, user, password) of a new lease."""
    made = scene.vault.call("GET", f"database/creds/{target.name}")
    return made["lease_id"].rpartition("/")[2], made["data"]["username"], made["data"]["password"]


def open_session(scene, user, password):
    return psycopg.connect(scene.database.dsn_for(user, password), autocommit=True)


def refused(scene, user, password):
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        open_session(scene, user, password)


def still_open(session):
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def test_all_leases_of_a_role_die_with_their_sessions(scene, desk, worker_for, finish):
    target = scene.dynamic_role()
    known = [lease(scene, target) for _ in range(3)]
    sessions = [open_session(scene, user, password) for _, user, password in known]
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target)), action) == "succeeded"

    proof = desk.proof(action)
    assert proof["grade"] == "A"
    assert {check["name"] for check in proof["checks"]} == {
        "negative_control",
        "new_accepted",
        "old_refused",
        "sessions_gone",
    }
    assert not any(still_open(session) for session in sessions)
    for _, user, password in known:
        refused(scene, user, password)
    marks = desk.kinds(desk.action(action)["incident_id"])
    assert "rotated" in marks or "succeeded" in marks


def test_one_lease_dies_and_the_others_work_on(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role()
    stolen, other = lease(scene, target), lease(scene, target)
    thief = open_session(scene, *stolen[1:])
    consumer = open_session(scene, *other[1:])
    action = desk.queue(target.model_copy(update={"name": f"{target.name}/{stolen[0]}"}))

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    assert desk.proof(action)["grade"] == "A"
    assert not still_open(thief)
    refused(scene, *stolen[1:])
    assert still_open(consumer)
    consumer.close()
    open_session(scene, *other[1:]).close()


def test_over_the_cap_nothing_is_revoked(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role(cap=1)
    known = [lease(scene, target) for _ in range(2)]
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "failed"

    assert "2 leases, over the cap of 1" in desk.action(action)["reason"]
    for _, user, password in known:
        open_session(scene, user, password).close()


def test_a_lease_that_nobody_has_is_named_before_anything_is_done(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role()
    kept = lease(scene, target)
    action = desk.queue(target.model_copy(update={"name": f"{target.name}/unknown"}))

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "failed"

    assert "no such lease" in desk.action(action)["reason"]
    open_session(scene, *kept[1:]).close()


def test_a_user_that_owns_a_table_is_left_to_a_person(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role()
    _, user, password = lease(scene, target)
    scene.execute(f'GRANT CREATE ON SCHEMA public TO "{user}"')
    with open_session(scene, user, password) as owner:
        owner.execute(f"CREATE TABLE owned_{target.name[:8]} (id int)")
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "needs_human"

    assert "cannot be revoked" in desk.action(action)["reason"]


def test_a_role_that_drops_no_user_is_never_proven(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role(revocation="SELECT 1")
    _, user, password = lease(scene, target)
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "verify_failed"

    assert "2 leases have ended, but only 0 of the database users are gone" in desk.action(action)["reason"]
    assert desk.proof(action)["grade"] is None
    open_session(scene, user, password).close()


def test_more_users_than_leases_make_no_a(scene, desk, worker_for, finish, hurry):
    target = scene.dynamic_role()
    _, user, password = lease(scene, target)
    scene.execute(f"CREATE ROLE \"v-other-{target.name[:8]}-x-1\" LOGIN PASSWORD 'x'")
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    assert desk.proof(action)["grade"] == "B"
    refused(scene, user, password)
