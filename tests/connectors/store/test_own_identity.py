"""Davylamp's own vault reads: `self` when a step intended them, critical when nothing did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from connectors.store.promotion import request_drill
from connectors.store.schema import actions, findings, incidents, steps
from playbooks.target import TargetRef, instance_of

NOW = 1_780_000_000.0
OWN = ("vault_entity", "own-entity", "actor")
ANALYTICS = ("credential", "database:database/analytics", "target")


def intend(database, policy, target="analytics", at=NOW - 5):
    identifier = request_drill(database, target, NOW - 10, "operator", policy)
    with database.transaction() as connection:
        connection.execute(insert(steps).values(action_id=identifier, ordinal=1, name="escrow", intent_at=at))
        connection.execute(update(actions).where(actions.c.id == identifier).values(state="executing"))


def dispositions(database):
    with database.reading() as connection:
        return list(connection.execute(select(findings.c.disposition)).scalars())


@pytest.mark.parametrize("level", ["informational", "low", "high"])
def test_an_intended_read_is_labelled_and_opens_nothing(database, feed, policy, make_finding, level):
    intend(database, policy)
    report = feed(make_finding("read", ANALYTICS, OWN, level=level))
    assert (report.own, report.opened) == (1, [])
    assert dispositions(database) == ["self"]


@pytest.mark.parametrize(
    ("name", "target", "at"),
    [
        ("no intent at all", None, 0.0),
        ("an intent on another target", "customer-records", NOW - 5),
        ("an intent long before", "analytics", NOW - 66),
        ("an intent long after", "analytics", NOW + 56),
    ],
)
def test_an_unintended_use_is_critical_even_if_the_rule_is_low(
    database, feed, policy, make_finding, name, target, at
):
    if target is not None:
        intend(database, policy, target, at)
    feed(make_finding("read", ANALYTICS, OWN, level="low"))
    with database.reading() as connection:
        (row,) = connection.execute(select(incidents)).mappings().all()
    assert (row["level"], row["playbook_id"]) == ("critical", "leaked-credential")
    assert "own identity" in row["title"]


def test_an_unintended_read_is_critical_even_if_the_rule_tells_nothing_of_others(
    database, feed, policy, make_finding
):
    feed(make_finding("read", ANALYTICS, OWN, level="informational"))
    feed(make_finding("look", ("secret", "sys/health", "target"), OWN, level="informational"))
    with database.reading() as connection:
        levels = list(connection.execute(select(incidents.c.level)).scalars())
    assert levels == ["critical"]


def test_somebody_elses_read_is_not_covered_by_our_intent(database, feed, policy, make_finding):
    intend(database, policy)
    report = feed(make_finding("read", ANALYTICS, ("vault_entity", "thief", "actor")))
    assert len(report.opened) == 1


def test_own_reads_are_no_signal(database, feed, policy, theft, drilled, make_finding):
    from connectors.store.promotion import promote

    drilled()
    intend(database, policy, at=NOW - 5)
    feed(theft["read"], make_finding("x", ANALYTICS, OWN, source="kubernetes_audit"))
    promote(database, NOW, policy)
    with database.reading() as connection:
        row = connection.execute(select(actions).where(actions.c.drill.is_(False))).mappings().one()
    assert row["state"] == "proposed"
    assert '"two_signals","passed":false' in row["guards"]


REPORTS = TargetRef("database_dynamic_leases", "database", "reports", "internal", "data")
HALF = ("credential", "database:database/orders-a", "target")
PAIR = TargetRef("database_static_pair", "database", "orders", "internal", "shop", (HALF[:2],))


@pytest.mark.parametrize(
    ("entity", "target", "intended"),
    [
        (("credential", "database:database/reports", "target"), REPORTS, instance_of(REPORTS, "lease-1")),
        (HALF, PAIR, PAIR),
    ],
)
def test_an_intent_on_an_instance_or_a_half_explains_our_read(
    database, feed, policy, make_finding, entity, target, intended
):
    known = replace(policy, targets=(*policy.targets, target))
    intend(database, known, intended)
    assert feed(make_finding("read", entity, OWN), using=known).own == 1
