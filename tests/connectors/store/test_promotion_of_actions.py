"""Which waiting actions start: automatic ones behind every guard, approved ones, drills; and which end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, select, update

from connectors.store import audit, switches
from connectors.store.error import UnknownRowError
from connectors.store.promotion import promote, request_drill
from connectors.store.schema import acknowledgements, actions, approvals, deliveries, drills, incidents
from connectors.store.schema import audit as audit_table
from playbooks.policy import CapLimits
from playbooks.target import TargetRef

NOW = 1_780_000_000.0
RECORDS = ("credential", "database:database/customer-records", "target")
THIEF = ("vault_entity", "entity-etl", "actor")


def the_action(database, **where):
    with database.reading() as connection:
        query = select(actions).where(actions.c.drill.is_(False))
        for name, value in where.items():
            query = query.where(actions.c[name] == value)
        return connection.execute(query).mappings().one()


def guards_of(row):
    return {guard["name"]: guard["passed"] for guard in json.loads(row["guards"])}


def approve(database, action_id, approver, digest=None, decision="approve", at=NOW + 1):
    with database.transaction() as connection:
        row = connection.execute(select(actions).where(actions.c.id == action_id)).mappings().one()
        values = {"action_id": action_id, "approver": approver, "decision": decision, "at": at, "via": "api"}
        connection.execute(insert(approvals).values(digest=digest or row["digest"], **values))


def refusals(database):
    with database.reading() as connection:
        query = (
            select(audit_table).where(audit_table.c.action == "approval.refused").order_by(audit_table.c.seq)
        )
        found = connection.execute(query).mappings().all()
        assert audit.verify(connection) == []
    return [(row["actor"], json.loads(row["detail"])["reason"]) for row in found]


def test_two_signals_that_meet_over_an_address_start_the_rotation(database, feed, policy, theft, drilled):
    drilled()
    feed(theft["alias"], theft["exec"], theft["read"])
    (moved,) = promote(database, NOW, policy)
    assert (moved.state, moved.auto) == ("queued", True)
    row = the_action(database)
    assert row["queued_at"] == NOW
    assert row["deadline_at"] == NOW + 120
    assert all(guards_of(row).values())


@pytest.mark.parametrize(
    ("missing", "guard"),
    [("alias", "two_signals"), ("exec", "two_signals"), ("drill", "drill")],
)
def test_without_one_of_its_conditions_it_waits_for_a_person(
    database, feed, policy, theft, drilled, missing, guard
):
    if missing != "drill":
        drilled()
    feed(*(finding for name, finding in theft.items() if name != missing))
    promote(database, NOW, policy)
    row = the_action(database)
    assert (row["state"], row["needed"]) == ("proposed", 1)
    assert not guards_of(row)[guard]
    approve(database, row["id"], "alice")
    (moved,) = promote(database, NOW + 2, policy)
    assert (moved.state, moved.auto) == ("queued", False)


def test_the_order_of_findings_and_aliases_does_not_matter(database, feed, policy, theft, drilled):
    drilled()
    feed(theft["read"])
    promote(database, NOW, policy)
    feed(theft["exec"])
    promote(database, NOW + 1, policy)
    feed(theft["alias"])
    assert [moved.state for moved in promote(database, NOW + 2, policy)] == ["queued"]


def test_an_alias_that_ended_before_the_event_joins_nothing(
    database, feed, policy, theft, drilled, state_alias
):
    drilled()
    taken_over = state_alias("other/pod", "10.0.0.7", 600.0)
    feed(theft["alias"], taken_over, theft["exec"], theft["read"])
    promote(database, NOW, policy)
    assert the_action(database)["state"] == "proposed"


def test_two_findings_of_one_source_are_one_signal(database, feed, policy, drilled, make_finding):
    drilled()
    credential = ("credential", "database:database/analytics", "target")
    feed(make_finding("a", credential, THIEF), make_finding("b", credential, THIEF))
    promote(database, NOW, policy)
    assert not guards_of(the_action(database))["two_signals"]


@pytest.mark.parametrize(("last", "passed"), [(91 * 86_400.0, True), (3600.0, False)])
def test_a_drill_counts_only_when_passed_and_recent(database, feed, policy, theft, drilled, last, passed):
    drilled(ago=last, passed=passed)
    feed(*theft.values())
    promote(database, NOW, policy)
    assert not guards_of(the_action(database))["drill"]


def test_a_restricted_target_waits_for_two_different_people(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS, THIEF))
    promote(database, NOW, policy)
    row = the_action(database)
    assert row["needed"] == 2
    approve(database, row["id"], "alice")
    promote(database, NOW + 1, policy)
    assert the_action(database)["state"] == "proposed"
    approve(database, row["id"], "bob")
    promote(database, NOW + 2, policy)
    assert the_action(database)["state"] == "queued"


def test_refused_approvals_do_not_count_and_are_audited_once(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS, ("iam_principal", "arn:aws:iam::1:user/carol", "actor")))
    row = the_action(database)
    approve(database, row["id"], "alice", digest="0" * 64)
    approve(database, row["id"], "carol")
    approve(database, row["id"], "nobody")
    for second in range(3):
        promote(database, NOW + 2 + second, policy)
    assert the_action(database)["state"] == "proposed"
    expected = {("alice", "digest_changed"), ("carol", "subject"), ("nobody", "not_an_approver")}
    assert set(refusals(database)) == expected
    assert len(refusals(database)) == len(expected)


def test_a_changed_target_changes_the_plan_and_old_approvals_no_longer_fit(
    database, feed, policy, make_finding
):
    feed(make_finding("r", RECORDS))
    before = the_action(database)
    approve(database, before["id"], "alice")
    approve(database, before["id"], "bob")
    others = tuple(t for t in policy.targets if t.name != "customer-records")
    moved = TargetRef("database_static_role", "database", "customer-records", "restricted", "new-owner")
    promote(database, NOW + 2, replace(policy, targets=(*others, moved)))
    after = the_action(database)
    assert after["digest"] != before["digest"]
    assert (after["state"], after["target_owner"]) == ("proposed", "new-owner")
    assert {reason for _, reason in refusals(database)} == {"digest_changed"}


def test_a_rejection_ends_it(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS))
    approve(database, the_action(database)["id"], "bob", decision="reject")
    (moved,) = promote(database, NOW + 2, policy)
    assert moved.state == "rejected"
    assert the_action(database)["finished_at"] == NOW + 2


def test_a_proposal_expires_and_pages_and_fresh_evidence_proposes_again(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS))
    promote(database, NOW + 3600, policy)
    assert the_action(database)["state"] == "expired"
    with database.reading() as connection:
        occasions = [
            json.loads(m)["occasion"] for m in connection.execute(select(deliveries.c.message)).scalars()
        ]
    assert any(occasion.startswith("expired:") for occasion in occasions)
    report = feed(make_finding("again", RECORDS, ago=-3700.0), now=NOW + 3701)
    assert len(report.planned) == 1


def test_the_kill_switch_holds_everything_and_lets_go(database, feed, policy, theft, drilled):
    drilled()
    feed(*theft.values())
    with database.transaction() as connection:
        switches.engage(connection, "all", "alice", NOW)
    approve(database, the_action(database)["id"], "bob")
    promote(database, NOW + 2, policy)
    assert the_action(database)["state"] == "proposed"
    with database.transaction() as connection:
        switches.release(connection, "all", "alice", NOW)
    assert the_action(database)["reason"].startswith("kill_switch")
    assert promote(database, NOW + 3, policy)[0].state == "queued"


def test_a_switch_has_a_known_name(database):
    with database.transaction() as connection, pytest.raises(ValueError, match="neither all nor verb"):
        switches.engage(connection, "everything", "alice", NOW)


def test_one_action_a_target_at_a_time(database, feed, policy, theft, drilled, make_finding):
    drilled()
    feed(*theft.values())
    request_drill(database, "analytics", NOW, "operator", policy)
    states = sorted(moved.state for moved in promote(database, NOW, policy))
    assert states == ["proposed", "queued"]


def test_a_rotation_after_the_event_satisfies_what_still_waits(database, feed, policy, make_finding, rotated):
    feed(make_finding("r", RECORDS, ago=120))
    rotated("database_static_role:database/customer-records", ago=30)
    (moved,) = promote(database, NOW, policy)
    assert moved.state == "satisfied"


def test_within_the_skew_of_a_rotation_a_person_decides(database, feed, policy, theft, drilled, rotated):
    drilled()
    feed(*theft.values())
    rotated("database_static_role:database/analytics", ago=0)
    promote(database, NOW, policy)
    row = the_action(database)
    assert (row["state"], guards_of(row)["epoch"]) == ("proposed", False)


@pytest.mark.parametrize(("column", "rest"), [("last_success_at", 1800.0), ("last_failure_at", 600.0)])
def test_a_target_rests(database, feed, policy, theft, drilled, column, rest):
    from connectors.store.schema import targets

    drilled()
    feed(*theft.values())
    with database.transaction() as connection:
        connection.execute(update(targets).values({column: NOW - rest + 10}))
    promote(database, NOW, policy)
    assert not guards_of(the_action(database))["cooldown"]
    assert promote(database, NOW + 11, policy)[0].state == "queued"


def test_a_spent_cap_is_a_proposal_and_a_page_at_once(database, feed, policy, theft, drilled):
    drilled()
    feed(*theft.values())
    spent = replace(
        policy, caps=CapLimits(site_hour=0), notifiers=(replace(policy.notifiers[0], min_level="critical"),)
    )
    promote(database, NOW, spent)
    row = the_action(database)
    assert (row["state"], row["needed"]) == ("proposed", 1)
    with database.reading() as connection:
        occasions = [
            json.loads(m)["occasion"] for m in connection.execute(select(deliveries.c.message)).scalars()
        ]
    assert f"proposal:{row['id']}" in occasions


def test_a_drill_of_an_internal_target_needs_neither_signals_nor_people(database, policy):
    identifier = request_drill(database, "analytics", NOW, "operator", policy)
    assert request_drill(database, "database/analytics", NOW + 1, "other", policy) == identifier
    (moved,) = promote(database, NOW, policy)
    assert (moved.action_id, moved.state, moved.auto) == (identifier, "queued", False)


def test_a_drill_of_a_restricted_target_needs_its_two_people_and_not_the_requester(database, policy):
    identifier = request_drill(database, "customer-records", NOW, "alice", policy)
    for person in ("alice", "bob"):
        approve(database, identifier, person)
    promote(database, NOW + 2, policy)
    assert refusals(database) == [("alice", "requester")]
    approve(database, identifier, "carol")
    assert promote(database, NOW + 3, policy)[0].state == "queued"


def test_a_drill_waits_while_the_target_rests(database, policy, rotated):
    from connectors.store.schema import targets

    rotated("database_static_role:database/analytics", ago=10)
    with database.transaction() as connection:
        connection.execute(update(targets).values(last_success_at=NOW))
    request_drill(database, "analytics", NOW, "operator", policy)
    assert promote(database, NOW, policy)[0].state == "proposed"


def test_an_unknown_target_is_named(database, policy):
    with pytest.raises(
        UnknownRowError, match=r"analitycs.*configured: database_static_role:database/analytics"
    ):
        request_drill(database, "analitycs", NOW, "operator", policy)
    with database.reading() as connection:
        assert connection.execute(select(drills)).first() is None


def test_nothing_is_written_while_nothing_changes(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS))
    promote(database, NOW, policy)
    promote(database, NOW + 10, policy)
    version = the_action(database)["version"]
    assert promote(database, NOW + 11, policy) == []
    assert the_action(database)["version"] == version


def test_an_acknowledgement_from_a_page_reaches_the_incident(database, feed, policy, make_finding):
    feed(make_finding("r", RECORDS))
    with database.transaction() as connection:
        identifier = connection.execute(select(incidents.c.id)).scalar_one()
        connection.execute(
            insert(acknowledgements).values(incident_id=identifier, person="alice", at=NOW + 1)
        )
    promote(database, NOW + 2, policy)
    promote(database, NOW + 3, policy)
    with database.reading() as connection:
        row = connection.execute(select(incidents)).mappings().one()
    assert (row["status"], row["owner"], row["acked_at"]) == ("acknowledged", "alice", NOW + 2)
