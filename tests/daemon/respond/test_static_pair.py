"""A pair of static roles: nobody stands without a credential, and the old half dies last."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
import pytest

from config.consumers import Consumers
from connectors.consumers.vault_reads import READ_RULE
from connectors.consumers.watch import Watch
from connectors.rotation.catalogue import handlers
from connectors.store.ingest import ingest
from detectors.event import Entity
from detectors.finding import Finding
from detectors.identifier import derive
from playbooks.policy import Policy

pytestmark = pytest.mark.integration


def creds(scene, role):
    data = scene.vault.call("GET", f"database/static-creds/{role}")["data"]
    return data["username"], data["password"]


def open_session(scene, user, password):
    dsn = scene.database.dsn_for(user, password)
    return psycopg.connect(dsn, autocommit=True, application_name="orders-api")


def pointed(scene, target):
    return scene.vault.call("GET", f"secret/data/{target.pointer_path}")["data"]["data"]


def refused(scene, user, password):
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        open_session(scene, user, password)


def test_contained_the_old_half_dies_with_its_sessions_and_the_pointer_moves(scene, desk, worker_for, finish):
    target = scene.pair()
    stolen = creds(scene, target.first)
    thief = open_session(scene, *stolen)
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target)), action) == "succeeded"

    assert desk.proof(action)["grade"] == "A"
    assert pointed(scene, target) == {"role": target.second, "note": "kept"}
    refused(scene, *stolen)
    with pytest.raises(psycopg.OperationalError):
        thief.execute("SELECT 1")
    open_session(scene, *creds(scene, target.second)).close()


def watching(scene, target, window_s=0.5):
    made = scene.settings(target)
    response = made.response.model_copy(update={"consumers": Consumers(window_s=window_s)})
    return made.model_copy(update={"response": response})


def test_orderly_waits_for_the_consumer_to_move_and_then_kills_the_old_half(
    scene, desk, worker_for, finish, told
):
    target = scene.pair()
    old = creds(scene, target.first)
    consumer = open_session(scene, *old)
    worker = worker_for(scene, watching(scene, target))
    action = desk.queue(target, mode="orderly")
    work_until(desk, worker, action, "orders-api: on the old one")
    moved = open_session(scene, *creds(scene, target.second))
    consumer.close()

    assert finish(desk, worker, action) == "succeeded"

    assert told.away == [], "a slow consumer is no outage"
    assert "waiting" in desk.kinds(desk.action(action)["incident_id"])
    proof = desk.proof(action)
    assert proof["grade"] == "A"
    checked = {check["name"]: check for check in proof["checks"]}["consumers"]
    assert checked["passed"] and checked["code"] == "1 of 1 seen with the new one"
    refused(scene, *old)
    moved.execute("SELECT 1")
    moved.close()


def work_until(desk, worker, action, words):
    """Let `worker` work until the step that waits for consumers says `words`."""
    until = time.monotonic() + 30
    while words not in next((s["note"] for s in desk.steps(action) if s["name"] == "consumers"), ""):
        worker.run_once()
        assert time.monotonic() < until, desk.action(action)["reason"]


def test_a_consumer_that_left_and_was_not_seen_again_is_waited_for(scene, desk, worker_for, finish):
    target = scene.pair(consumers_wait_s=60.0)
    old = creds(scene, target.first)
    skipped = [0.0]
    worker = worker_for(scene, watching(scene, target), clock=lambda: time.time() + skipped[0])
    consumer = open_session(scene, *old)
    action = desk.queue(target, mode="orderly")
    work_until(desk, worker, action, "orders-api: on the old one")
    consumer.close()
    work_until(desk, worker, action, "orders-api: not seen with the new one")
    skipped[0] = 100.0

    assert finish(desk, worker, action) == "needs_human"

    assert "orders-api: not seen with the new one" in desk.action(action)["reason"]
    open_session(scene, *old).close()


def test_a_stubborn_consumer_is_named_and_nothing_is_killed(scene, desk, worker_for, finish, hurry):
    target = scene.pair(consumers_wait_s=0.5)
    old = creds(scene, target.first)
    consumer = open_session(scene, *old)
    action = desk.queue(target, mode="orderly")

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "needs_human"

    reason = desk.action(action)["reason"]
    assert "orders-api: on the old one (session at 127.0.0.1); both halves are alive" in reason
    assert pointed(scene, target)["role"] == target.second, "who moved is not sent back"
    consumer.execute("SELECT 1")
    consumer.close()
    for role in (target.first, target.second):
        open_session(scene, *creds(scene, role)).close()


def test_contained_a_session_on_the_idle_half_ends_too(scene, desk, worker_for, finish, hurry):
    target = scene.pair()
    stolen = creds(scene, target.second)
    thief = open_session(scene, *stolen)
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    with pytest.raises(psycopg.OperationalError):
        thief.execute("SELECT 1")
    refused(scene, *stolen)


def test_an_idle_half_in_use_is_named_before_anything_is_done(scene, desk, worker_for, finish, hurry):
    target = scene.pair()
    known = creds(scene, target.second)
    consumer = open_session(scene, *known)
    action = desk.queue(target, mode="orderly")

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "failed"

    assert "the idle half is in use by orders-api" in desk.action(action)["reason"]
    consumer.close()
    assert creds(scene, target.second) == known


def test_who_read_the_old_half_in_the_vault_must_read_the_new_one(scene, desk, worker_for, finish, told):
    target = scene.pair()
    tell_read(desk, target.first, time.time() - 60)
    action = desk.queue(target, mode="orderly")
    settings = watching(scene, target, window_s=0.0)
    tools = scene.tools(settings)
    watched = replace(tools, consumers=Watch.of(settings, desk.database, lambda: ()))
    worker = desk.worker(handlers(watched), told)
    work_until(desk, worker, action, "vault entity e-orders: not seen with the new one")
    tell_read(desk, target.second, time.time())

    assert finish(desk, worker, action) == "succeeded"
    assert {check["name"]: check["passed"] for check in desk.proof(action)["checks"]}["consumers"]


def tell_read(desk, role, at):
    """Keep the finding that detect makes of a read of `role` in the vault's audit log."""
    event = f"read-{role}-{at}"
    finding = Finding(
        rule_id=READ_RULE,
        title="Database credential read",
        level="informational",
        base_level="informational",
        status="final",
        source="vault_audit",
        event_id=event,
        event_ids=(event,),
        event_time=at,
        first_time=at,
        last_time=at,
        count=1,
        entities=(
            Entity("credential", f"database:database/{role}", "target"),
            Entity("vault_entity", "e-orders", "actor"),
        ),
        attack=(),
        explain="a read",
        finding_id=derive("finding", READ_RULE, event),
        labels={},
    )
    ingest(desk.database, [("davylamp.findings", 0, 0, finding)], {}, at, Policy())
