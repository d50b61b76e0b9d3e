"""Findings that are held back: respond counts them, and nothing more, unless Davylamp itself did it."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import func, select

from connectors.store.schema import findings, incidents


def count(database, table):
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_held_finding_opens_nothing_and_leaves_no_row(database, feed, make_finding):
    finding = make_finding("rule-1", ("k8s_user", "eve", "actor"), level="high")
    report = feed(*(replace(finding, finding_id=why, labels={"held": why}) for why in ("shadow", "flood")))
    assert (report.received, report.held, report.opened) == (2, 2, [])
    assert (count(database, findings), count(database, incidents)) == (0, 0)


def test_a_finding_that_is_held_no_more_is_taken(database, feed, make_finding):
    finding = make_finding("rule-1", ("k8s_user", "eve", "actor"), level="high")
    feed(replace(finding, labels={"held": "shadow"}))
    assert len(feed(finding).opened) == 1


def test_no_exception_hides_davylamps_own_identity_at_work_without_an_intent(database, feed, make_finding):
    finding = make_finding("rule-1", ("vault_entity", "own-entity", "actor"), level="low")
    report = feed(replace(finding, labels={"held": "exception", "exception": "all"}))
    assert report.held == 0 and len(report.opened) == 1


def test_a_label_of_another_text_holds_nothing(database, feed, make_finding):
    finding = make_finding("rule-1", ("k8s_user", "eve", "actor"), level="high")
    assert len(feed(replace(finding, labels={"held": "please"})).opened) == 1
