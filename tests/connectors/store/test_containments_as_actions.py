"""Containments as rows: proposed whatever the mode, released at their time, one at a time for a target."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from connectors.store import releasing, switches
from connectors.store.actions import ActionStore
from connectors.store.error import UnknownRowError
from connectors.store.finishing import Ending, finish
from connectors.store.promotion import promote
from connectors.store.schema import actions, approvals, incidents, proofs, targets, timeline
from daemon.roles.respond.policy import declared_outlook, declared_steps, declared_undo_steps
from playbooks.containment import CONTAIN, RELEASE, RELEASE_AGAIN_S, Release
from playbooks.denial import Denial
from playbooks.proof import Proof
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
LASTS_S = 600.0
WEB = ("workload", "shop/web", "target")
KEY = "network_quarantine:shop/deployment/web"


@pytest.fixture
def cutting(policy):
    """Auto mode, and deployments of `shop` that may be cut off."""
    shop = TargetRef("network_quarantine", "shop", "deployment", "internal", "shop")
    return replace(
        policy,
        containable=(shop,),
        containment_s=LASTS_S,
        steps_of=declared_steps,
        undo_steps_of=declared_undo_steps,
        outlook_of=declared_outlook,
    )


@pytest.fixture
def escape(make_finding):
    """A function that makes a finding whose playbook proposes containment."""
    return lambda event="e", ago=5.0: make_finding(
        "escape", WEB, playbook="workload-escape", event=event, ago=ago
    )


def rows(database, verb=None):
    query = select(actions).order_by(actions.c.created_at)
    with database.reading() as connection:
        found = connection.execute(query if verb is None else query.where(actions.c.verb == verb))
        return found.mappings().all()


def approve(database, row, *people):
    for person in people:
        values = {"action_id": row["id"], "approver": person, "decision": "approve", "at": NOW + 1}
        with database.transaction() as connection:
            connection.execute(insert(approvals).values(digest=row["digest"], via="api", **values))


@pytest.fixture
def contained(database, cutting, feed, escape):
    """A function that lets a containment run and end; returns its row."""

    def run(state="succeeded", at=NOW + 2):
        feed(escape(), using=cutting)
        (row,) = rows(database, CONTAIN)
        approve(database, row, "alice")
        promote(database, at, cutting)
        store = ActionStore(database)
        lease = store.claim("w", at, 30.0)
        assert lease is not None
        store.intend(lease, 0, "contain", at, {})
        proof = Proof(
            "C" if state == "succeeded" else None,
            lease.action.id,
            lease.action.incident_id or "",
            lease.action.target,
            "contain",
            0,
            lease.action.digest,
            at,
            at,
            (),
        )
        release = Release(at + LASTS_S, {"action_id": lease.action.id, "uid": "u-1"})
        finish(database, lease, at, Ending(state, "said", proof=proof, release=release), cutting)
        return rows(database, CONTAIN)[0]

    return run


def test_it_is_only_proposed_though_everything_says_auto(database, cutting, feed, escape):
    feed(escape(), using=cutting)
    promote(database, NOW, cutting)
    (row,) = rows(database)
    assert (row["verb"], row["target_key"], row["state"], row["needed"]) == (CONTAIN, KEY, "proposed", 1)
    verdicts = {one["name"]: one for one in json.loads(row["guards"])}
    assert verdicts["mode"]["reason"] == "containment is only proposed"
    assert not verdicts["shadow"]["passed"]
    plan = json.loads(row["plan"])
    assert plan["lasts_s"] == LASTS_S
    assert [step["name"] for step in plan["steps"]][3] == "contain"


def test_a_restricted_workload_needs_two_people(database, cutting, feed, escape):
    (shop,) = cutting.containable
    careful = replace(cutting, containable=(replace(shop, classification="restricted"),))
    feed(escape(), using=careful)
    approve(database, rows(database)[0], "alice")
    promote(database, NOW + 2, careful)
    assert (rows(database)[0]["state"], rows(database)[0]["needed"]) == ("proposed", 2)


def test_its_release_is_queued_with_its_end_and_nobody_takes_it_before_its_time(database, contained):
    done = contained()
    (release,) = rows(database, RELEASE)
    assert (release["state"], release["queued_at"], release["needed"]) == ("queued", NOW + 2 + LASTS_S, 0)
    store = ActionStore(database)
    assert store.claim("w", NOW + LASTS_S, 30.0) is None
    lease = store.claim("w", NOW + 3 + LASTS_S, 30.0)
    assert lease is not None
    assert lease.action.given == {"action_id": done["id"], "uid": "u-1"}
    assert lease.action.deadline_at == NOW + 3 + LASTS_S + 600


def test_the_api_servers_word_alone_contains_no_incident(database, contained):
    contained()
    with database.reading() as connection:
        assert connection.execute(select(incidents.c.status)).scalar_one() == "new"
        assert connection.execute(select(proofs.c.grade)).scalars().all() == ["C"]
        texts = " ".join(connection.execute(select(timeline.c.text)).scalars())
    assert "proven dead" not in texts


def test_a_kill_switch_for_all_does_not_keep_a_workload_cut_off_but_one_for_releases_does(
    database, contained
):
    contained()
    store, due = ActionStore(database), NOW + 3 + LASTS_S
    with database.transaction() as connection:
        switches.engage(connection, f"verb:{RELEASE}", "operator", NOW)
    assert store.claim("w", due, 30.0) is None
    with database.transaction() as connection:
        switches.release(connection, f"verb:{RELEASE}", "operator", NOW)
        switches.engage(connection, "all", "operator", NOW)
    assert store.claim("w", due, 30.0) is not None


def test_what_is_not_proven_is_released_as_well(database, contained):
    assert contained("needs_human")["state"] == "needs_human"
    assert len(rows(database, RELEASE)) == 1


def test_a_release_that_fails_is_queued_again_later_and_not_for_ever(database, contained, cutting):
    contained()
    store, at, waited = ActionStore(database), NOW + 3 + LASTS_S, []
    while (lease := store.claim("w", at, 30.0)) is not None:
        finish(database, lease, at, Ending("failed", "403"), cutting)
        waiting = [row for row in rows(database, RELEASE) if row["state"] == "queued"]
        if not waiting:
            break
        waited.append(waiting[0]["queued_at"] - at)
        at = waiting[0]["queued_at"]
    assert waited == list(RELEASE_AGAIN_S)
    assert {row["state"] for row in rows(database, RELEASE)} == {"failed"}


def test_while_one_stands_none_is_proposed_and_afterwards_a_new_event_proposes_again(
    database, contained, cutting, feed, escape
):
    contained()
    feed(escape("during", ago=-60), using=cutting, now=NOW + 60)
    assert len(rows(database, CONTAIN)) == 1
    lease = ActionStore(database).claim("w", NOW + 3 + LASTS_S, 30.0)
    assert lease is not None
    finish(database, lease, NOW + 4 + LASTS_S, Ending("succeeded", "released"), cutting)
    feed(escape("old", ago=4), using=cutting, now=NOW + LASTS_S + 10)
    assert len(rows(database, CONTAIN)) == 1
    feed(escape("after", ago=-LASTS_S - 60), using=cutting, now=NOW + LASTS_S + 61)
    assert [row["epoch"] for row in rows(database, CONTAIN)] == [0, 1]


def test_another_workload_of_the_namespace_is_not_held_up(database, contained, cutting, feed, make_finding):
    contained()
    other = ("workload", "shop/api", "target")
    feed(make_finding("escape", other, playbook="workload-escape", event="api"), using=cutting)
    row = rows(database, CONTAIN)[-1]
    approve(database, row, "alice")
    promote(database, NOW + 5, cutting)
    assert rows(database, CONTAIN)[-1]["state"] == "queued"


def test_it_ends_early_when_asked_by_either_id_and_only_once(database, contained):
    done = contained()
    release = releasing.release_now(database, done["id"], "alice", NOW + 10)
    assert rows(database, RELEASE)[0]["queued_at"] == NOW + 10
    assert releasing.release_now(database, release, "alice", NOW + 11) == release
    with database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.id == release).values(state="succeeded"))
    with pytest.raises(UnknownRowError):
        releasing.release_now(database, release, "alice", NOW + 12)


def test_a_denied_namespace_is_never_proposed(database, cutting, feed, escape):
    entry = Denial("the shop", entities=frozenset({("namespace", "shop")}))
    feed(escape(), using=replace(cutting, denials=(entry,)))
    assert rows(database) == []


def test_a_proof_without_a_grade_gives_way_to_the_next_one_of_its_epoch(database, contained, cutting):
    contained("needs_human")
    with database.transaction() as connection:
        connection.execute(update(targets).values(epoch=0))
        again = {"state": "executing", "lease_owner": "w", "lease_until": NOW + 99}
        connection.execute(update(actions).where(actions.c.verb == RELEASE).values(state="succeeded"))
        row = dict(rows(database, CONTAIN)[0])
        connection.execute(insert(actions).values(**(row | again | {"id": "another"})))
    store = ActionStore(database)
    lease = store.claim("w", NOW + 5, 30.0)
    assert lease is not None and lease.action.id == "another"
    proof = Proof("C", "another", "", lease.action.target, "contain", 0, "d", NOW, NOW, ())
    finish(database, lease, NOW + 5, Ending("succeeded", "said", proof=proof), cutting)
    with database.reading() as connection:
        assert connection.execute(select(proofs.c.action_id)).scalars().all() == ["another"]
