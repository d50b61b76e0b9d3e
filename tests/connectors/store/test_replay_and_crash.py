"""Replays change nothing, order changes nothing, and an exception in the middle leaves nothing half done."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import event, func, select

from connectors.store.database import Database
from connectors.store.ingest import ingest, next_offsets
from connectors.store.promotion import promote
from connectors.store.schema import findings, incidents, metadata

NOW = 1_780_000_000.0
PLACE = ("davylamp.findings", 0)


def counts(database):
    with database.reading() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def picture(database):
    """The set of (incident key, set of finding ids): what "the same incidents" means."""
    with database.reading() as connection:
        rows = connection.execute(
            select(incidents.c.key, findings.c.finding_id).join(
                findings, findings.c.incident_id == incidents.c.id
            )
        ).all()
    return {key: frozenset(f for k, f in rows if k == key) for key, _ in rows}


@pytest.fixture
def stream(make_finding, theft, state_alias):
    """A little of everything, with shared entities, levels, confirmations and old stories."""
    credential = ("credential", "database:database/analytics", "target")
    pod = ("pod", "terraminer-data/etl", "target")
    early = make_finding(
        "burst", ("vault_entity", "entity-etl", "actor"), status="provisional", event="early"
    )
    return [
        *theft.values(),
        state_alias("other/pod", "10.0.0.8", 100.0),
        make_finding("read", credential, ("vault_entity", "entity-etl", "actor"), level="low", ago=4),
        make_finding("label", pod, level="low", ago=9, source="kubernetes_audit"),
        make_finding(
            "mesh",
            ("workload", "terraminer-data/etl", "actor"),
            pod,
            level="medium",
            playbook="mesh-downgrade",
        ),
        make_finding("fact", pod, level="informational"),
        early,
        make_finding(
            "burst", ("vault_entity", "entity-etl", "actor"), event="late", confirms=(early.finding_id,)
        ),
        make_finding("old", ("k8s_user", "bob", "actor"), ago=200_000, playbook="pod-exec"),
    ]


def batch(found, start=0):
    return [("davylamp.findings", 0, start + index, finding) for index, finding in enumerate(found)]


def test_a_second_pass_adds_no_row_of_any_kind(database, policy, stream, drilled):
    drilled()
    ingest(database, batch(stream), {PLACE: len(stream)}, NOW, policy)
    promote(database, NOW, policy)
    promote(database, NOW + 6, policy)
    before, seen = counts(database), picture(database)
    report = ingest(database, batch(stream), {PLACE: len(stream)}, NOW + 7, policy)
    assert promote(database, NOW + 8, policy) == []
    for start in range(0, len(stream), 3):
        ingest(database, batch(stream[start : start + 3], start), {PLACE: start + 3}, NOW + 9, policy)
    assert (report.opened, report.planned, report.pages) == ([], [], 0)
    assert report.repeated + report.known_aliases == len(stream)
    assert counts(database) == before
    assert picture(database) == seen


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_and_any_cut_into_batches_give_the_same_incidents(
    data, tmp_path, sqlite_template, policy, stream
):
    order = data.draw(st.permutations(stream))
    size = data.draw(st.integers(1, len(stream)))
    pictures = []
    for name, sequence, step in (("plain", stream, len(stream)), ("mixed", order, size)):
        path = tmp_path / f"{name}.db"
        path.unlink(missing_ok=True)
        shutil.copy(sqlite_template, path)
        store = Database(f"sqlite:///{path}")
        for start in range(0, len(sequence), step):
            ingest(store, batch(sequence[start : start + step], start), {PLACE: start + step}, NOW, policy)
        pictures.append(picture(store))
        store.close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert pictures[0] == pictures[1]


class PulledPlugError(RuntimeError):
    """Stands for a kill in the middle of a transaction."""


def pull_plug_at(database, number):
    """Make the `number`-th statement of the next transaction raise; return a function that mends it."""
    engine = database._engine
    seen = 0

    def count(*_):
        nonlocal seen
        seen += 1
        if seen == number:
            raise PulledPlugError(number)

    event.listen(engine, "before_cursor_execute", count)
    return lambda: event.remove(engine, "before_cursor_execute", count)


def test_a_kill_at_any_statement_leaves_nothing_half_done(database, policy, stream):
    before = counts(database)
    number = 3
    while True:
        mend = pull_plug_at(database, number)
        try:
            ingest(database, batch(stream), {PLACE: len(stream)}, NOW, policy)
        except PulledPlugError:
            mend()
            assert counts(database) == before, f"statement {number}"
            assert next_offsets(database) == {}
            number += 7
            continue
        mend()
        break
    assert number > 100
    assert next_offsets(database) == {PLACE: len(stream)}
    assert len(picture(database)) >= 4


def test_a_batch_with_the_same_finding_twice_keeps_it_once(database, policy, make_finding):
    one = make_finding("r", ("pod", "a/b", "target"), playbook="pod-exec")
    report = ingest(database, batch([one, replace(one, title="again"), one]), {PLACE: 3}, NOW, policy)
    assert (report.joined, report.repeated) == (1, 2)
