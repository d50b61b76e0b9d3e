"""What auto would have done stands beside what people decided."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from connectors.store.agreement import judged
from connectors.store.promotion import promote
from connectors.store.schema import actions, approvals
from playbooks.shadow import agreement

NOW = 1_780_000_000.0


def waiting(database):
    with database.reading() as connection:
        return connection.execute(select(actions).where(actions.c.drill.is_(False))).mappings().one()


def say(database, decision, person="alice"):
    row = waiting(database)
    values = {"action_id": row["id"], "approver": person, "decision": decision, "at": NOW + 2, "via": "api"}
    with database.transaction() as connection:
        connection.execute(insert(approvals).values(digest=row["digest"], **values))


def shadow(database):
    return next(one for one in json.loads(waiting(database)["guards"]) if one["name"] == "shadow")


@pytest.fixture
def proposing(policy):
    """The same policy, which starts nothing by itself."""
    return replace(policy, mode="propose")


@pytest.mark.parametrize(("decision", "said"), [("approve", "approved"), ("reject", "rejected"), (None, "")])
def test_what_auto_would_have_started_is_set_beside_the_decision(
    database, feed, proposing, theft, drilled, decision, said
):
    drilled()
    feed(*theft.values(), using=proposing)
    promote(database, NOW, proposing)
    assert waiting(database)["state"] == "proposed"
    assert shadow(database)["passed"]
    if decision is not None:
        say(database, decision)
    promote(database, NOW + (3 if decision else 4000), proposing)
    assert shadow(database)["reason"].startswith("auto would have started it at ")
    with database.reading() as connection:
        (found,) = judged(connection, NOW - 60)
    assert (found.playbook, found.would, found.said) == ("leaked-credential", True, said)


def test_what_auto_would_have_left_to_people_is_no_disagreement(database, feed, proposing, make_finding):
    feed(make_finding("a", ("credential", "database:database/analytics", "target")), using=proposing)
    promote(database, NOW, proposing)
    assert not shadow(database)["passed"]
    say(database, "reject")
    promote(database, NOW + 3, proposing)
    with database.reading() as connection:
        (line,) = agreement(judged(connection, 0.0), NOW + 10)
    assert (line.left, line.approved, line.rejected, line.share) == (1, 0, 0, None)
    assert not line.ready


def test_what_began_by_itself_and_drills_are_left_out(database, feed, policy, theft, drilled):
    drilled()
    feed(*theft.values())
    promote(database, NOW, policy)
    assert waiting(database)["auto"]
    with database.reading() as connection:
        assert judged(connection, 0.0) == []
