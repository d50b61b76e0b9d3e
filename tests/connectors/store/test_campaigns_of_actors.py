"""Campaigns: what one actor does under all its names is one incident beside its parts, also on replay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from connectors.store import incidents as incident_store
from connectors.store import outbox, reading, timeline
from connectors.store.schema import campaign_findings, deliveries, findings, incidents
from playbooks.risk import RiskLimits

NOW = 1_780_000_000.0
POD, ACCOUNT = ("pod", "shop/web-1"), ("service_account", "shop/web")
ENTITY, ALICE = ("vault_entity", "ent"), ("iam_principal", "arn:aws:iam::1:user/alice")
SESSION = ("iam_principal", "arn:aws:sts::1:assumed-role/admin/x")
EXECUTION, DISCOVERY, CREDENTIALS = "T1609", "T1613", "T1552.007"


@pytest.fixture
def alias(make_finding):
    def make(a, b, ago=3600.0):
        labels = {"alias": "true", "a_type": a[0], "a_id": a[1], "b_type": b[0], "b_id": b[1]}
        return make_finding(
            "davylamp-alias", level="informational", ago=ago, event=f"{a}{b}{ago}", labels=labels
        )

    return make


@pytest.fixture
def step(make_finding):
    def make(rule, technique, who, ago=60.0, level="high", **changes):
        return make_finding(
            rule,
            ("secret", f"{rule}-{who[1]}", "target"),
            (*who, "actor"),
            ago=ago,
            level=level,
            playbook="",
            attack=(technique,),
            **changes,
        )

    return make


@pytest.fixture
def story(step):
    """Three steps under three names of one actor."""
    return [
        step("exec", EXECUTION, POD, ago=900),
        step("list", DISCOVERY, ACCOUNT, ago=600, level="medium"),
        step("read", CREDENTIALS, ENTITY, ago=300),
    ]


@pytest.fixture
def names(alias):
    return [alias(POD, ACCOUNT), alias(ENTITY, ACCOUNT)]


def campaigns(database):
    query = select(incidents).where(incidents.c.playbook_id == "campaign").order_by(incidents.c.number)
    with database.reading() as connection:
        return connection.execute(query).mappings().all()


def held(database):
    with database.reading() as connection:
        return set(connection.scalars(select(campaign_findings.c.finding_id)))


def test_three_tactics_under_three_names_are_one_campaign_that_holds_its_parts(database, feed, story, names):
    report = feed(*names, *story)
    (campaign,) = campaigns(database)
    assert (campaign["primary_type"], campaign["primary_id"]) == ACCOUNT
    assert (campaign["level"], campaign["status"], campaign["version"]) == ("high", "new", 1)
    assert report.campaigns == [campaign["id"]]
    assert len(report.opened) == 3
    assert held(database) == {finding.finding_id for finding in story}
    with database.reading() as connection:
        record = reading.incident(connection, campaign["id"])
        assert [part.id for part in record.campaign.parts] == sorted(report.opened, key=report.opened.index)
        part = reading.incident(connection, report.opened[0])
        assert timeline.verify(connection, campaign["id"]) == []
        sent = {
            row.key: row.value for row in outbox.pending(connection, 100) if row.topic.endswith("incidents")
        }
    assert record.campaign.tactics == ("credential-access", "discovery", "execution")
    assert [link.id for link in part.campaigns] == [campaign["id"]]
    assert part.row.status == "new"
    assert sent[campaign["id"]]["held_finding_ids"] == [finding.finding_id for finding in story]
    assert sent[report.opened[0]]["campaign_ids"] == [campaign["id"]]


def test_a_replay_opens_none_twice_and_pages_nobody_again(database, feed, story, names):
    feed(*names, *story)
    with database.reading() as connection:
        pages = len(connection.execute(select(deliveries)).all())
    again = feed(*names, *story)
    assert (again.campaigns, again.pages, again.touched) == ([], 0, set())
    assert len(campaigns(database)) == 1
    with database.reading() as connection:
        assert len(connection.execute(select(deliveries)).all()) == pages


def test_one_by_one_and_backwards_give_the_same_campaign(database, feed, story, names):
    for finding in [*names, *reversed(story)]:
        feed(finding)
    (campaign,) = campaigns(database)
    assert (campaign["primary_type"], campaign["primary_id"]) == ACCOUNT
    assert held(database) == {finding.finding_id for finding in story}
    assert (campaign["first_event_at"], campaign["last_event_at"]) == (NOW - 900, NOW - 300)


def test_an_alias_that_comes_last_makes_the_campaign(database, feed, story, names):
    feed(names[0], *story)
    assert campaigns(database) == []
    feed(names[1])
    assert len(campaigns(database)) == 1


def test_without_aliases_three_actors_are_no_campaign(database, feed, story):
    feed(*story)
    assert campaigns(database) == []


def test_two_people_who_use_one_session_name_are_not_one_actor(database, feed, step, alias):
    bob = ("iam_principal", "arn:aws:iam::1:user/bob")
    feed(alias(SESSION, ALICE), alias(SESSION, bob))
    feed(step("a", EXECUTION, ALICE), step("b", DISCOVERY, bob), step("c", CREDENTIALS, SESSION))
    assert campaigns(database) == []


def test_pods_of_a_default_account_and_callers_behind_one_address_are_not_one_actor(
    database, feed, make_finding, alias
):
    default, nat = ("service_account", "shop/default"), ("address", "203.0.113.9", "source")
    pods = [("pod", f"shop/p{n}") for n in range(3)]
    feed(*(alias(pod, default) for pod in pods))
    for pod, technique in zip(pods, (EXECUTION, DISCOVERY, CREDENTIALS), strict=True):
        feed(make_finding(f"r-{technique}", (*pod, "actor"), nat, playbook="", attack=(technique,)))
    assert campaigns(database) == []


def test_an_address_counts_for_the_pod_that_had_it_then(database, feed, make_finding, alias):
    address, other = ("address", "10.0.0.7"), ("pod", "shop/other")
    feed(alias(POD, address, ago=4000.0), alias(other, address, ago=1000.0), alias(POD, ACCOUNT))
    steps = [
        make_finding(f"r-{t}", (*address, "source"), ago=ago, playbook="", attack=(t,))
        for t, ago in ((EXECUTION, 3000.0), (DISCOVERY, 2000.0), (CREDENTIALS, 500.0))
    ]
    feed(*steps)
    assert campaigns(database) == []
    feed(make_finding("r4", (*POD, "actor"), ago=400.0, playbook="", attack=(CREDENTIALS,)))
    (campaign,) = campaigns(database)
    assert campaign["primary_id"] == "shop/web"
    assert steps[2].finding_id not in held(database)


def test_what_comes_later_joins_the_open_campaign_and_a_critical_part_raises_it(
    database, feed, story, names, step
):
    feed(*names, *story)
    report = feed(step("wipe", "T1485", POD, ago=30, level="critical"))
    (campaign,) = campaigns(database)
    assert (report.campaigns, campaign["level"], campaign["last_event_at"]) == ([], "critical", NOW - 30)
    assert report.pages == 2


def test_low_findings_are_held_too(database, feed, story, names, step):
    low = step("peek", "T1087", POD, ago=700, level="low")
    feed(*names, low, *story)
    assert low.finding_id in held(database)


def test_what_a_closed_campaign_held_opens_no_other(database, feed, story, names, step):
    feed(*names, *story)
    with database.transaction() as connection:
        incident_store.transition(
            connection, campaigns(database)[0]["id"], "closed", NOW, "alice", {"reason": "benign"}
        )
    assert feed(step("more", "T1485", POD, ago=30)).campaigns == []
    fresh = [step(f"new-{n}", t, POD, ago=20) for n, t in enumerate((EXECUTION, DISCOVERY))]
    assert len(feed(*fresh).campaigns) == 1
    assert len(campaigns(database)) == 2


def test_a_flood_of_one_rule_neither_opens_nor_hides_a_campaign(database, feed, story, names, step):
    flood = [step("noise", DISCOVERY, POD, ago=800 + n / 100, level="low", event=f"n{n}") for n in range(300)]
    feed(*names, *flood)
    assert campaigns(database) == []
    feed(*story)
    assert {finding.finding_id for finding in story} <= held(database)
    assert len(held(database)) <= len(story) + 12


def test_an_old_story_opens_a_stale_campaign_that_pages_nobody(database, feed, step):
    old = [step(f"r{n}", t, POD, ago=90_000) for n, t in enumerate((EXECUTION, DISCOVERY, CREDENTIALS))]
    report = feed(*old)
    assert campaigns(database)[0]["stale"]
    assert report.pages == 0


def test_every_day_of_a_batch_of_many_days_is_weighed(database, feed, step):
    day = 86_400.0
    first = [
        step(f"a{n}", t, POD, ago=9 * day - n) for n, t in enumerate((EXECUTION, DISCOVERY, CREDENTIALS))
    ]
    feed(*first, step("last", EXECUTION, POD, ago=10))
    assert held(database) == {finding.finding_id for finding in first}


def test_davylamp_s_own_reads_and_a_switched_off_model_open_none(database, feed, story, names, policy):
    feed(*names, *story, using=replace(policy, risk=RiskLimits(enabled=False)))
    assert campaigns(database) == []
    with database.reading() as connection:
        assert len(connection.execute(select(findings)).all()) == 3
