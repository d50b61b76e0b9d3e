"""The ledger of pages: once each, tried again when due, given up when told."""

from __future__ import annotations

from dataclasses import replace

from connectors.store import deliveries
from playbooks.policy import NotifierRule

NOW = 1_780_000_000.0
CREDENTIAL = ("credential", "database:database/analytics", "target")


def test_a_page_is_due_until_it_is_delivered(database, feed, make_finding):
    feed(make_finding("r", CREDENTIAL))
    with database.transaction() as connection:
        (page,) = deliveries.due(connection, NOW)
        assert page.message["schema"] == "davylamp.page/1"
        assert page.message["path"] == f"/incidents/{page.incident_id}"
        deliveries.failed(connection, page.notification_id, NOW, "503", NOW + 30)
        assert deliveries.due(connection, NOW + 29) == []
        (again,) = deliveries.due(connection, NOW + 30)
        assert again.attempts == 1
        deliveries.delivered(connection, page.notification_id, NOW + 31)
        assert deliveries.due(connection, NOW + 999) == []


def test_a_page_given_up_is_not_due_again(database, feed, make_finding):
    feed(make_finding("r", CREDENTIAL))
    with database.transaction() as connection:
        (page,) = deliveries.due(connection, NOW)
        deliveries.failed(connection, page.notification_id, NOW, "gone", None)
        assert deliveries.due(connection, NOW + 9999) == []


def test_the_same_page_is_queued_once(database, feed, make_finding):
    report = feed(make_finding("r", CREDENTIAL))
    with database.transaction() as connection:
        assert deliveries.put(connection, "n1", report.opened[0], "webhook", {"a": 1}, NOW)
        assert not deliveries.put(connection, "n1", report.opened[0], "webhook", {"a": 2}, NOW)


def test_only_notifiers_that_want_the_level_are_told(database, feed, policy, make_finding):
    rules = (NotifierRule("all", "medium"), NotifierRule("night", "critical"))
    report = feed(make_finding("r", CREDENTIAL), using=replace(policy, notifiers=rules))
    assert report.pages == 1
    with database.reading() as connection:
        assert [page.notifier for page in deliveries.due(connection, NOW)] == ["all"]
