"""Canaries in the tables of record: nothing is done with one that came, a lost one is an incident."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import func, select

from connectors.store.schema import findings, incidents
from detectors.canary.finding import LABEL, lost
from detectors.canary.proof import Slot


def count(database, table):
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_canary_that_came_is_counted_and_leaves_no_row(database, feed, make_finding):
    imitation = make_finding("look", ("host", "a", "source"), level="informational")
    canary = replace(imitation, finding_id="canary", labels={LABEL: "cloudtrail"})
    report = feed(canary, imitation)
    assert (report.received, report.informational) == (2, 2)
    assert count(database, findings) == 1 and count(database, incidents) == 0


def test_a_lost_canary_is_an_incident_and_the_next_one_of_the_partition_joins_it(
    database, feed, make_finding
):
    due = int(make_finding().event_time)
    slot = Slot("cloudtrail", "aws.cloudtrail", 0, due)
    feed(lost(slot, "was read"), lost(slot, "was read"))
    feed(lost(slot._replace(due=due + 300), "was read"))
    assert (count(database, findings), count(database, incidents)) == (2, 1)
