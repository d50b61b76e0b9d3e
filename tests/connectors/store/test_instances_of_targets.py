"""Findings that name one credential of a target: proposed as an instance, bounded, one at a time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from connectors.store.planning import MAX_ACTIONS, MAX_MISSING
from connectors.store.promotion import promote
from connectors.store.schema import actions, approvals, timeline
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
TOKENS = TargetRef("vault_token", "token", "any", "confidential", "platform")


@pytest.fixture
def tokens(policy):
    return replace(policy, targets=(*policy.targets, TOKENS))


def used(make_finding, accessor, number=0):
    entities = (("vault_token", accessor, "actor"), ("vault_entity", "thief", "actor"))
    return make_finding(f"rule-{number}", ("credential", "database:nowhere/x", "target"), *entities)


def rows_of(database, table, **where):
    with database.reading() as connection:
        query = select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        return connection.execute(query).mappings().all()


def test_a_token_is_proposed_as_an_instance_and_runs_once_it_is_approved(
    database, tokens, make_finding, feed
):
    feed(used(make_finding, "acc1"), using=tokens)
    (row,) = rows_of(database, actions)
    assert (row["target_key"], row["name"]) == ("vault_token:token/any/acc1", "any/acc1")
    assert (row["classification"], row["target_owner"], row["needed"]) == ("confidential", "platform", 1)
    promote(database, NOW, tokens)
    (row,) = rows_of(database, actions)
    assert row["state"] == "proposed"
    with database.transaction() as connection:
        values = {"action_id": row["id"], "approver": "alice", "decision": "approve", "at": NOW + 1}
        connection.execute(insert(approvals).values(digest=row["digest"], via="api", **values))
    promote(database, NOW + 2, tokens)
    assert rows_of(database, actions)[0]["state"] == "queued"


def test_an_instance_waits_while_another_of_its_target_is_at_work(database, tokens, make_finding, feed):
    feed(used(make_finding, "acc1"), used(make_finding, "acc2", 1), using=tokens)
    first, second = (row["id"] for row in rows_of(database, actions))
    with database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.id == first).values(state="executing"))
    promote(database, NOW, tokens)
    (row,) = rows_of(database, actions, id=second)
    guards = {guard["name"]: guard["passed"] for guard in json.loads(row["guards"])}
    assert guards["one_at_a_time"] is False


def test_a_hostile_accessor_is_told_and_proposes_nothing(database, tokens, make_finding, feed):
    feed(used(make_finding, "../../sys/seal\n- item"), using=tokens)
    assert rows_of(database, actions) == []
    (row,) = rows_of(database, timeline, kind="not_proposed")
    assert "is not the accessor of a token" in row["text"]
    assert "vault_entity thief has no target of kind vault_entity" in row["text"]
    assert "\n" not in row["text"]


def test_a_flood_of_accessors_makes_bounded_rows(database, tokens, make_finding, feed):
    flood = [used(make_finding, f"acc{number}", number) for number in range(MAX_ACTIONS + 20)]
    feed(*flood, using=tokens)
    assert len(rows_of(database, actions)) == MAX_ACTIONS
    told = rows_of(database, timeline, kind="not_proposed")
    assert any(f"more than {MAX_ACTIONS} actions" in row["text"] for row in told)
    feed(*(used(make_finding, f"x y{number}", 100 + number) for number in range(20)), using=tokens)
    assert len(rows_of(database, timeline, kind="not_proposed")) == MAX_MISSING
