"""Incidents in SQL: compare-and-set, timeline, publication, and containment when the last proof stands."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from connectors.store import incidents, outbox, timeline
from connectors.store.error import ConflictError, UnknownRowError
from connectors.store.schema import actions
from connectors.store.schema import incidents as table
from playbooks.incident import IllegalTransitionError

NOW = 1_780_000_000.0
CREDENTIAL = ("credential", "database:database/analytics", "target")


@pytest.fixture
def incident(feed, make_finding):
    return feed(make_finding("r", CREDENTIAL)).opened[0]


def row_of(connection):
    return connection.execute(select(table)).mappings().one()


def test_a_life_from_new_to_closed(database, incident):
    with database.transaction() as connection:
        incidents.transition(connection, incident, "acknowledged", NOW + 1, "alice", {"owner": "alice"})
        incidents.transition(connection, incident, "contained", NOW + 2, "alice")
        incidents.transition(connection, incident, "recovered", NOW + 3, "alice")
        detail = {"reason": "mitigated", "note": "done"}
        incidents.transition(connection, incident, "closed", NOW + 4, "alice", detail)
        row = row_of(connection)
        assert (row["acked_at"], row["contained_at"], row["recovered_at"], row["closed_at"]) == (
            NOW + 1, NOW + 2, NOW + 3, NOW + 4,
        )  # fmt: skip
        assert (row["owner"], row["close_reason"], row["note"]) == ("alice", "mitigated", "done")
        assert row["version"] == 5
        assert timeline.verify(connection, incident) == []
        messages = [m.value for m in outbox.pending(connection, 50) if m.topic == "davylamp.incidents"]
    assert [m["version"] for m in messages] == [1, 2, 3, 4, 5]
    assert [m["updated_seq"] for m in messages] == sorted({m["updated_seq"] for m in messages})


def test_an_illegal_way_changes_nothing(database, incident):
    with (
        pytest.raises(IllegalTransitionError, match="from new to recovered"),
        database.transaction() as connection,
    ):
        incidents.transition(connection, incident, "recovered", NOW, "alice")


def test_a_stale_version_is_a_conflict(database, incident):
    with database.transaction() as connection:
        incidents.transition(connection, incident, "acknowledged", NOW, "alice", version=1)
    with pytest.raises(ConflictError), database.transaction() as connection:
        incidents.transition(connection, incident, "contained", NOW, "bob", version=1)


def test_an_unknown_incident_is_said(database):
    with pytest.raises(UnknownRowError), database.transaction() as connection:
        incidents.publish(connection, "no-such", NOW)


def test_a_proof_contains_the_incident_only_when_no_other_action_waits(
    database, incident, feed, make_finding
):
    with database.transaction() as connection:
        proven = connection.execute(select(actions.c.id)).scalar_one()
        incidents.mark_contained(connection, incident, NOW + 9, proven)
        assert row_of(connection)["status"] == "contained"
        incidents.mark_contained(connection, incident, NOW + 10, proven)
        assert row_of(connection)["contained_at"] == NOW + 9


def test_an_action_that_still_waits_keeps_it_open(database, incident):
    with database.transaction() as connection:
        incidents.mark_contained(connection, incident, NOW + 9, "another-action")
        assert row_of(connection)["status"] == "new"


def test_new_theft_after_containment_reopens(database, incident, feed, make_finding):
    with database.transaction() as connection:
        proven = connection.execute(select(actions.c.id)).scalar_one()
        connection.execute(update(actions).values(state="succeeded"))
        incidents.mark_contained(connection, incident, NOW + 9, proven)
        from connectors.store.schema import targets

        connection.execute(update(targets).values(epoch=1, rotated_at=NOW + 5))
    report = feed(make_finding("again", CREDENTIAL, ago=-60.0), now=NOW + 61)
    assert len(report.planned) == 1
    with database.reading() as connection:
        assert row_of(connection)["status"] == "reopened"


def test_closing_lets_the_same_key_open_anew(database, incident, feed, make_finding):
    with database.transaction() as connection:
        incidents.transition(connection, incident, "closed", NOW + 1, "alice", {"reason": "benign"})
    report = feed(make_finding("later", CREDENTIAL, ago=-2.0))
    assert report.opened
    assert report.opened != [incident]
