"""Revocation debt on both databases: opened by the effect, paid by the proof, in the way of recovery."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from connectors.store import debt, debt_proving, debt_reading, incidents, outbox, timeline
from connectors.store.actions import ActionStore
from connectors.store.error import UnknownRowError
from connectors.store.finishing import Ending, finish
from connectors.store.promotion import promote
from connectors.store.schema import actions, aliases, findings, steps, switches
from connectors.store.schema import incidents as incident_table
from playbooks.debt import FIRST_LOOK_S, LONGEST_LOOK_S, MAX_LOOKS
from playbooks.incident import DebtOwedError
from playbooks.ports import StepSpec
from playbooks.proof import Check, Proof

NOW = 1_780_000_000.0
SPECS = (
    StepSpec("escrow", None, False, 60, 5, 5),
    StepSpec("rotate", "vault rotate-role", True, 60, 5, 5, milestone="rotated"),
    StepSpec("old_refused", None, False, 60, 5, 5),
)
CHECK = Check("old_refused", True, 3, NOW, NOW + 3, "db", "28P01")


class Work:
    """One rotation of the theft's target, done step by step as a worker does it."""

    def __init__(self, database, policy):
        self.database, self.policy, self.store = database, policy, ActionStore(database)
        lease = self.store.claim("worker-1", NOW, 30.0)
        assert lease is not None
        self.lease = lease

    def rotate(self, at=NOW + 1):
        state = {"state": {"baseline": "2026-11-23T10:00:00Z", "fingerprint": "vault:v1:abc"}}
        self.store.intend(self.lease, 0, "escrow", at, {})
        self.store.complete(self.lease, 0, at, state, (), "kept")
        self.store.intend(self.lease, 1, "rotate", at, {})
        self.store.complete(self.lease, 1, at, {}, (), "rotated", state="verifying", milestone="rotated")

    def end(self, grade, at=NOW + 5, reason="the old password is still let in"):
        action = self.lease.action
        proof = Proof(
            grade,
            action.id,
            action.incident_id or "",
            action.target,
            "contain",
            0,
            "d",
            NOW + 1,
            at,
            (CHECK,),
        )
        ending = Ending("succeeded" if grade else "verify_failed", reason, NOW + 1, proof)
        finish(self.database, self.lease, at, ending, self.policy)

    def again(self, at):
        lease = self.store.claim("worker-2", at, 30.0)
        assert lease is not None and lease.action.id == self.lease.action.id
        self.lease = lease


@pytest.fixture
def work(database, feed, policy, theft, drilled):
    drilled()
    feed(theft["alias"], theft["exec"], theft["read"])
    promote(database, NOW, policy)
    return Work(database, policy)


def owed(database):
    with database.reading() as connection:
        return list(debt_reading.owed(connection))


def close(database, incident_id, at=NOW + 9):
    with database.transaction() as connection:
        incidents.transition(connection, incident_id, "closed", at, "alice", {"reason": "mitigated"})


def kinds(database, incident_id):
    with database.reading() as connection:
        query = select(timeline.timeline.c.kind).where(timeline.timeline.c.incident_id == incident_id)
        return list(connection.execute(query.order_by(timeline.timeline.c.seq)).scalars())


def test_a_rotation_owes_from_its_effect_to_its_proof(database, work):
    assert owed(database) == []
    work.rotate()
    (row,) = owed(database)
    assert (row.target_key, row.epoch, row.since) == ("database_static_role:database/analytics", 0, NOW + 1)
    assert row.credential == "version 2026-11-23T10:00:00Z; fingerprint vault:v1:abc"
    assert (row.reason, row.next_at) == (debt.UNDER_WAY, None)
    work.end("A")
    assert owed(database) == []
    with database.reading() as connection:
        (paid,) = debt_reading.of_incident(connection, work.lease.action.incident_id)
    assert (paid.state, paid.grade, paid.ended_at) == ("paid", "A", NOW + 5)


def test_a_failed_proof_says_why_and_when_it_is_looked_at_again(database, work):
    work.rotate()
    work.end(None)
    (row,) = owed(database)
    assert row.reason == "the old password is still let in"
    assert row.next_at == NOW + 5 + FIRST_LOOK_S
    with database.reading() as connection:
        assert debt_reading.total(connection) == (1, NOW + 1)
    assert "debt" in kinds(database, work.lease.action.incident_id)


def test_an_action_that_changed_nothing_owes_nothing(database, work):
    finish(database, work.lease, NOW + 2, Ending("failed", "denied; nothing was rotated"), work.policy)
    assert owed(database) == []


def test_an_action_that_may_still_take_effect_owes_and_a_person_must_look(database, work):
    work.store.intend(work.lease, 0, "escrow", NOW, {})
    work.store.complete(work.lease, 0, NOW, {"state": {"old_id": "AKIAOLD"}}, (), "kept")
    ending = Ending("needs_human", "no answer; it may still take effect")
    finish(database, work.lease, NOW + 2, ending, work.policy)
    (row,) = owed(database)
    assert row.credential == "key AKIAOLD"
    assert not debt_proving.look_again(database, row.action_id, SPECS, NOW + 200)
    (row,) = owed(database)
    assert row.next_at is None
    assert row.reason.endswith("a person must look")


@pytest.mark.parametrize("status", ["recovered", "closed"])
def test_an_incident_with_debt_does_not_end_and_is_told_what_is_owed(database, work, status):
    work.rotate()
    work.end(None)
    incident = work.lease.action.incident_id
    with database.transaction() as connection:
        incidents.transition(connection, incident, "contained", NOW + 6, "alice")
    with pytest.raises(DebtOwedError) as refused, database.transaction() as connection:
        incidents.transition(connection, incident, status, NOW + 7, "alice")
    assert "database_static_role:database/analytics" in str(refused.value)
    assert "version 2026-11-23T10:00:00Z" in str(refused.value)
    with database.reading() as connection:
        query = select(incident_table.c.status).where(incident_table.c.id == incident)
        assert connection.execute(query).scalar() == "contained"


def test_the_debt_of_one_incident_does_not_hold_another(database, work, feed, make_finding):
    work.rotate()
    work.end(None)
    other = feed(make_finding("r2", ("pod", "a/b", "target"), playbook="triage")).opened[0]
    close(database, other)


def test_a_late_proof_pays_and_the_incident_may_end(database, work):
    work.rotate()
    work.end(None)
    action = work.lease.action
    due = NOW + 5 + FIRST_LOOK_S
    assert list(debt_proving.due(database, due - 1)) == []
    assert [one.action_id for one in debt_proving.due(database, due)] == [action.id]
    assert debt_proving.look_again(database, action.id, SPECS, due)
    assert not debt_proving.look_again(database, action.id, SPECS, due), "it is at work now"
    work.again(due + 1)
    assert [step.state for step in work.lease.steps] == ["done", "done"]
    work.end("A", at=due + 4)
    assert owed(database) == []
    assert {"late_proof", "debt_paid"} <= set(kinds(database, action.incident_id))
    close(database, action.incident_id, due + 5)
    with database.reading() as connection:
        assert timeline.verify(connection, action.incident_id) == []


def test_looks_get_later_and_end_with_a_person(database, work):
    work.rotate()
    work.end(None)
    waits, now = [], NOW + 5
    while (row := owed(database)[0]).next_at is not None:
        waits.append(row.next_at - now)
        now = row.next_at
        assert debt_proving.look_again(database, row.action_id, SPECS, now)
        now += 0.5
        work.again(now)
        work.end(None, at=now)
    assert len(waits) == MAX_LOOKS
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_LOOK_S, LONGEST_LOOK_S)
    assert kinds(database, work.lease.action.incident_id).count("debt") == 1


def test_no_look_while_the_switch_is_on_or_another_action_works_on_the_target(database, work):
    work.rotate()
    work.end(None)
    action = work.lease.action.id
    with database.transaction() as connection:
        connection.execute(insert(switches).values(name="all", engaged=True, by="alice", at=NOW))
    assert not debt_proving.look_again(database, action, SPECS, NOW + 100)
    with database.transaction() as connection:
        connection.execute(update(switches).values(engaged=False))
        row = dict(connection.execute(select(actions).where(actions.c.id == action)).mappings().one())
        other = {"id": "other", "state": "executing", "name": "analytics/one"}
        other["target_key"] = f"{row['target_key']}/one"
        connection.execute(insert(actions).values(row | other))
    (debt_row,) = owed(database)
    assert not debt_proving.look_again(database, action, SPECS, debt_row.next_at or 0.0)
    assert owed(database)[0].looks == 0


def test_a_proof_that_lost_its_ground_owes_again(database, work):
    work.rotate()
    work.end("A")
    assert work.store.prove_again(work.lease.action.id, 2, NOW + 10)
    work.again(NOW + 11)
    work.end(None, at=NOW + 12)
    assert [row.state for row in owed(database)] == ["owed"]


def test_a_person_may_answer_for_a_debt_once(database, work):
    work.rotate()
    work.end(None)
    action = work.lease.action
    with database.transaction() as connection:
        debt.settle(connection, action.id, NOW + 8, "cli:alice", "the role was dropped by hand")
    close(database, action.incident_id)
    with database.reading() as connection:
        (row,) = debt_reading.of_incident(connection, action.incident_id)
    assert (row.state, row.settled_by, row.note) == ("settled", "cli:alice", "the role was dropped by hand")
    with pytest.raises(UnknownRowError), database.transaction() as connection:
        debt.settle(connection, action.id, NOW + 9, "cli:alice", "again")


def test_a_finding_older_than_the_rotation_is_satisfied_and_not_acted_on(
    database, work, feed, theft, make_finding
):
    work.rotate()
    work.end("A")
    with database.reading() as connection:
        before = connection.execute(select(actions.c.id)).all()
    told_late = [(e.type, e.id, e.role) for e in theft["read"].entities]
    late = make_finding("second-read", *told_late, ago=500)
    feed(late, now=NOW + 30)
    with database.reading() as connection:
        assert connection.execute(select(actions.c.id)).all() == before
        assert late.finding_id in connection.execute(select(findings.c.finding_id)).scalars().all()
    assert kinds(database, work.lease.action.incident_id).count("satisfied") == 1


def test_the_rows_of_a_debt_hold_no_escrow(database, work):
    work.rotate()
    with database.transaction() as connection:
        row = {
            "context": json.dumps({"state": {"baseline": "m", "escrow": "vault:v1:secret", "password": "p"}})
        }
        connection.execute(update(steps).where(steps.c.ordinal == 0).values(row))
    work.end(None)
    assert "secret" not in str(owed(database))
    assert "'p'" not in str(owed(database))


def test_a_dead_token_is_told_to_detect_with_its_name_in_the_audit(database, work):
    token = replace(work.lease.action.target, kind="vault_token", mount="token", name="any/accessor-1")
    work.lease = replace(work.lease, action=replace(work.lease.action, target=token))
    hashed = "hmac-sha256:" + "a" * 64
    with database.transaction() as connection:
        row = {"a_type": "vault_token", "a_id": "accessor-1", "b_type": "vault_token", "b_id": hashed}
        connection.execute(insert(aliases).values(**row, valid_from=NOW - 100))
    work.rotate()
    work.end("B")
    with database.reading() as connection:
        (told,) = [m for m in outbox.pending(connection, 500) if m.topic == "davylamp.verdicts"]
    assert told.key == "dead-credential|vault_token:accessor-1"
    assert told.value["names"] == ["accessor-1", hashed]
    assert told.value["proven_at"] == NOW + 5
