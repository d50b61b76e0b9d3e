"""A changed, removed or inserted row of the timeline or the audit shows."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, select, update

from connectors.store import audit, outbox, timeline
from connectors.store.schema import audit as audit_table
from connectors.store.schema import timeline as timeline_table


def written(database, count=4):
    with database.transaction() as connection:
        for number in range(count):
            audit.record(connection, 1.5 + number, "alice", "approve", f"a{number}", "allowed", {"n": number})


CHANGES = {
    "actor": update(audit_table).where(audit_table.c.seq == 2).values(actor="mallory"),
    "time": update(audit_table).where(audit_table.c.seq == 2).values(at=0.0),
    "detail": update(audit_table).where(audit_table.c.seq == 2).values(detail="{}"),
    "outcome": update(audit_table).where(audit_table.c.seq == 3).values(outcome="done"),
    "removed": delete(audit_table).where(audit_table.c.seq == 2),
    "hash": update(audit_table).where(audit_table.c.seq == 1).values(hash="f" * 64),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_audit_shows(database, change):
    written(database)
    with database.transaction() as connection:
        assert audit.verify(connection) == []
        connection.execute(CHANGES[change])
        assert audit.verify(connection) != []


def test_a_changed_timeline_shows(database, feed, make_finding):
    report = feed(make_finding("r", ("credential", "database:database/analytics", "target")))
    (incident,) = report.opened
    with database.transaction() as connection:
        assert timeline.verify(connection, incident) == []
        connection.execute(
            update(timeline_table).where(timeline_table.c.kind == "finding").values(text="nothing")
        )
        assert timeline.verify(connection, incident) != []


def test_hostile_text_stays_verifiable(database):
    with database.transaction() as connection:
        audit.record(connection, 1.0, "a\x00\ud800", "b", "c" * 9000, "done", {"x": "\x00\ud800"})
    with database.reading() as connection:
        assert audit.verify(connection) == []


def test_audit_rows_are_published_once_and_in_order(database):
    written(database, 3)
    with database.transaction() as connection:
        assert audit.publish(connection, 9.0) == 3
        assert audit.publish(connection, 9.0) == 0
    written(database, 1)
    with database.transaction() as connection:
        assert audit.publish(connection, 9.0) == 1
        rows = outbox.pending(connection, 10)
    assert [row.topic for row in rows] == ["davylamp.audit"] * 4
    assert [row.value["seq"] for row in rows] == [1, 2, 3, 4]
    assert len({row.key for row in rows}) == 4
    assert json.dumps(rows[0].value["detail"]) == '{"n": 0}'


def test_the_outbox_keeps_what_is_not_confirmed(database):
    with database.transaction() as connection:
        for number in range(3):
            outbox.put(connection, "davylamp.incidents", f"k{number}", {"n": number}, 1.0)
        first, second, third = outbox.pending(connection, 10)
        outbox.mark_sent(connection, [first.seq, third.seq], 2.0)
    with database.reading() as connection:
        assert outbox.pending(connection, 10) == [second]
        assert outbox.waiting(connection) == 1
        assert connection.execute(select(timeline_table)).all() == []
