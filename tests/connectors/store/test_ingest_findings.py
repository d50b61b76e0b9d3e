"""What findings become: incidents by key, context, aliases, actions, pages, and a place to read on from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from sqlalchemy import select

from connectors.store import outbox, timeline
from connectors.store.ingest import next_offsets, set_offsets
from connectors.store.schema import actions, aliases, deliveries, findings, incidents
from playbooks.policy import Policy

CREDENTIAL = ("credential", "database:database/analytics", "target")
THIEF = ("vault_entity", "entity-etl", "actor")


def rows(database, table):
    with database.reading() as connection:
        return connection.execute(select(table)).mappings().all()


def test_a_high_finding_opens_an_incident_with_page_plan_and_message(database, feed, make_finding):
    report = feed(make_finding("r", CREDENTIAL, THIEF))
    (incident,) = rows(database, incidents)
    assert incident["key"] == "test/leaked-credential/credential:database:database%2Fanalytics/v1"
    assert (incident["status"], incident["level"], incident["number"]) == ("new", "high", 1)
    assert report.opened == [incident["id"]]
    (action,) = rows(database, actions)
    assert (action["state"], action["target_key"]) == ("proposed", "database_static_role:database/analytics")
    assert report.planned == [action["id"]]
    (page,) = rows(database, deliveries)
    assert page["notifier"] == "webhook"
    with database.reading() as connection:
        sent = outbox.pending(connection, 100)
        assert timeline.verify(connection, incident["id"]) == []
    (document,) = [row.value for row in sent if row.topic == "davylamp.incidents"]
    assert document["schema"] == "davylamp.incident/1"
    assert document["version"] == 1
    assert document["actions"][0]["action_id"] == action["id"]
    assert {row.topic for row in sent} == {"davylamp.incidents", "davylamp.audit"}


def test_findings_about_one_credential_share_an_incident_whoever_reads_it(database, feed, make_finding):
    feed(make_finding("a", CREDENTIAL, THIEF))
    feed(make_finding("b", CREDENTIAL, ("vault_entity", "another", "actor")))
    assert len(rows(database, incidents)) == 1
    assert len(rows(database, actions)) == 1


def test_another_credential_is_another_incident(database, feed, make_finding):
    other = ("credential", "database:database/customer-records", "target")
    feed(make_finding("a", CREDENTIAL), make_finding("a", other))
    assert sorted(row["number"] for row in rows(database, incidents)) == [1, 2]


@pytest.mark.parametrize("first", ["low", "high"])
def test_context_joins_the_incident_that_shares_an_entity_in_any_order(database, feed, make_finding, first):
    low = make_finding("read", CREDENTIAL, THIEF, level="low")
    high = make_finding("first-read", CREDENTIAL, THIEF)
    feed(low if first == "low" else high)
    feed(high if first == "low" else low)
    (incident,) = rows(database, incidents)
    assert {row["incident_id"] for row in rows(database, findings)} == {incident["id"]}


def test_a_low_finding_alone_opens_nothing_and_plans_nothing(database, feed, make_finding):
    report = feed(make_finding("read", CREDENTIAL, level="low"))
    assert report.context == 1
    assert rows(database, incidents) == []
    assert rows(database, actions) == []


def test_context_does_not_join_over_a_shared_namespace(database, feed, make_finding):
    place = ("namespace", "terraminer-data", "target")
    feed(make_finding("exec", ("pod", "terraminer-data/x", "target"), place, playbook="pod-exec"))
    feed(make_finding("quiet", place, level="low", playbook=""))
    kept = {row["rule_id"]: row["incident_id"] for row in rows(database, findings)}
    assert kept["quiet"] is None


def test_a_final_finding_joins_the_incident_of_the_provisional_that_it_confirms(database, feed, make_finding):
    early = make_finding("burst", ("vault_entity", "e", "actor"), status="provisional", event="p")
    late = make_finding("burst", ("address", "10.1.1.1", "source"), event="f", confirms=(early.finding_id,))
    feed(early)
    report = feed(late)
    assert report.opened == []
    assert len(rows(database, incidents)) == 1
    assert len(rows(database, deliveries)) == 1


def test_a_rising_level_pages_once_more_and_a_falling_one_does_not(database, feed, make_finding):
    feed(make_finding("a", CREDENTIAL, level="high"))
    feed(make_finding("b", CREDENTIAL, level="medium"))
    assert len(rows(database, deliveries)) == 1
    feed(make_finding("c", CREDENTIAL, level="critical"))
    feed(make_finding("d", CREDENTIAL, level="critical"))
    assert len(rows(database, deliveries)) == 2
    assert rows(database, incidents)[0]["level"] == "critical"


def test_an_old_story_opens_a_stale_incident_that_neither_pages_nor_acts(database, feed, make_finding):
    report = feed(make_finding("old", CREDENTIAL, ago=86_401))
    (incident,) = rows(database, incidents)
    assert incident["stale"]
    assert (report.planned, report.pages) == ([], 0)
    again = feed(make_finding("new", CREDENTIAL, ago=1))
    assert len(again.planned) == 1
    assert again.pages == 1
    assert not rows(database, incidents)[0]["stale"]


def test_a_finding_older_than_the_rotation_is_satisfied_by_it(database, feed, make_finding, rotated):
    rotated("database_static_role:database/analytics", ago=100)
    report = feed(make_finding("before", CREDENTIAL, ago=161))
    assert report.planned == []
    assert len(feed(make_finding("within the skew", CREDENTIAL, ago=159)).planned) == 1


def test_aliases_are_learned_and_open_nothing(database, feed, state_alias):
    assert feed(state_alias("ns/pod", "10.0.0.7")).aliases == 1
    assert feed(state_alias("ns/pod", "10.0.0.7")).known_aliases == 1
    assert len(rows(database, aliases)) == 1
    assert rows(database, findings) == []


def test_a_rule_without_playbook_falls_back_to_triage_never_to_silence(database, feed, make_finding):
    feed(make_finding("own", ("host", "db.example.org", "target"), playbook=""))
    assert rows(database, incidents)[0]["playbook_id"] == "triage"


def test_the_place_is_kept_with_the_findings_and_can_go_back(database, feed, make_finding):
    feed(make_finding("a", CREDENTIAL), make_finding("b", CREDENTIAL))
    assert next_offsets(database) == {("davylamp.findings", 0): 2}
    set_offsets(database, {("davylamp.findings", 0): 0})
    assert next_offsets(database) == {("davylamp.findings", 0): 0}
    assert next_offsets(database, "somebody-else") == {}


def test_the_place_may_be_beyond_31_bits(database, policy):
    from connectors.store.ingest import ingest

    ingest(database, [], {("davylamp.findings", 3): 2**40}, 1.0, policy)
    assert next_offsets(database)[("davylamp.findings", 3)] == 2**40


def test_hostile_text_is_kept_without_harm(database, feed, make_finding):
    nasty = "\x00';DROP TABLE incidents;--\ud800" + "\U0001f4a5" * 3000
    finding = make_finding("r\x00", ("credential", nasty, "target"), ("pod", nasty, "actor"), title=nasty)
    finding = structs.replace(finding, explain=nasty, event_ids=(nasty,) * 5000, source=nasty)
    report = feed(finding, structs.replace(finding, finding_id="not a uuid"))
    assert report.joined == 2
    assert len(rows(database, incidents)) == 1


def test_settings_in_propose_mode_need_a_person(database, feed, make_finding, policy: Policy):
    feed(make_finding("a", CREDENTIAL), using=replace(policy, mode="propose"))
    assert rows(database, actions)[0]["needed"] == 1


def test_denied_targets_are_never_planned(database, feed, make_finding, policy: Policy):
    denied = replace(policy, denied=frozenset({"database_static_role:database/analytics"}))
    assert feed(make_finding("a", CREDENTIAL), using=denied).planned == []
