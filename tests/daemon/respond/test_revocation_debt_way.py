"""The whole way of a debt on a real vault and a real PostgreSQL: no proof, debt, page, late proof, paid."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from psycopg import sql
from sqlalchemy import insert, select

from connectors.rotation.catalogue import handlers
from connectors.store import incidents, reading
from connectors.store.schema import actions, deliveries, revocation_debt
from daemon.cli.targets import targets
from daemon.roles.respond.debt_looks import DebtLooks
from daemon.roles.respond.metrics import RespondMetrics
from daemon.roles.respond.standing import Standing
from playbooks.incident import DebtOwedError
from playbooks.policy import NotifierRule, Policy
from playbooks.target import TargetRef

pytestmark = pytest.mark.integration


def set_password(scene, login, password):
    """Somebody sets the database's password beside the vault: a GitOps run that knows the old one."""
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(password))
    scene.execute(statement.as_string())


def debts_of(desk):
    with desk.database.reading() as connection:
        return list(connection.execute(select(revocation_debt)).mappings())


def gauge(desk, policy, now):
    registry = CollectorRegistry()
    Standing(policy).count(desk.store, RespondMetrics(registry), now)
    return registry.get_sample_value("davylamp_revocation_debt")


def listed(tmp_path, desk):
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"response": {"database_url": {"value": desk.url}}}))
    return CliRunner().invoke(targets, ["debt", "--config", str(path), "--json"])


def test_a_proof_that_fails_first_is_owed_told_and_paid_by_a_late_one(
    scene, desk, worker_for, finish, hurry, tmp_path
):
    target = scene.target()
    stolen = scene.served(target)
    ref = TargetRef(target.kind, target.mount, target.name, target.classification, target.owner)
    policy = Policy(targets=(ref,), notifiers=(NotifierRule("webhook"),))
    settings = scene.settings(target)

    def revert(step, boundary):
        if (step, boundary) == ("old_refused", "before_call"):
            set_password(scene, target.login, stolen)

    action = desk.queue(target)
    incident = desk.action(action)["incident_id"]
    worker = worker_for(scene, settings, hurry, boundary=revert, policy=lambda: policy)
    assert finish(desk, worker, action) == "verify_failed"

    (debt,) = debts_of(desk)
    assert (debt["state"], debt["target_key"], debt["incident_id"]) == ("owed", target.key, incident)
    assert debt["credential"].startswith("version ")
    assert stolen not in str(dict(debt))
    assert gauge(desk, policy, hurry.now()) == 1
    (row,) = json.loads(listed(tmp_path, desk).output)["debts"]
    assert row["action_id"] == action
    with desk.database.reading() as connection:
        assert connection.execute(select(deliveries.c.incident_id)).scalars().all() == [incident]
        record = reading.incident(connection, incident)
    assert record is not None
    assert [one.state for one in record.debts] == ["owed"]
    with pytest.raises(DebtOwedError), desk.database.transaction() as connection:
        incidents.transition(connection, incident, "closed", hurry.now(), "alice")

    set_password(scene, target.login, scene.served(target))
    looks = DebtLooks(desk.database, handlers(scene.tools(settings, hurry)), hurry.now, lambda: policy)
    assert looks.look() == 0, "not due yet"
    hurry.skipped_s += 61
    assert looks.look() == 1
    marks = scene.mark(target)
    worker = worker_for(scene, settings, hurry, policy=lambda: policy)
    assert finish(desk, worker, action) == "succeeded"

    assert scene.mark(target) == marks, "a late proof rotates nothing"
    (debt,) = debts_of(desk)
    assert (debt["state"], debt["grade"]) == ("paid", "A")
    proof = desk.proof(action)
    assert proof is not None
    assert proof["grade"] == "A"
    assert gauge(desk, policy, hurry.now()) == 0
    kinds = desk.kinds(incident)
    order = [kinds.index(kind) for kind in ("debt", "late_proof", "debt_paid", "proof")]
    assert order == sorted(order)
    with desk.database.transaction() as connection:
        incidents.transition(connection, incident, "closed", hurry.now(), "alice")


def test_a_drill_without_a_proof_is_owed_too(scene, desk, worker_for, finish, hurry):
    target = scene.target()
    stolen = scene.served(target)

    def revert(step, boundary):
        if (step, boundary) == ("old_refused", "before_call"):
            set_password(scene, target.login, stolen)

    action = desk.queue(target, drill=True)
    assert finish(desk, worker_for(scene, scene.settings(target), hurry, boundary=revert), action) == (
        "verify_failed"
    )
    (debt,) = debts_of(desk)
    assert (debt["state"], debt["incident_id"]) == ("owed", None)


def test_a_target_that_is_no_longer_configured_is_left_to_people(desk, hurry):
    target = TargetRef("database_static_role", "database", "gone", "internal", "data")
    action = desk.queue(target)
    with desk.database.transaction() as connection:
        connection.execute(actions.update().values(state="verify_failed"))
        row = {"action_id": action, "target_key": target.key, "epoch": 0, "credential": "x", "state": "owed"}
        row |= {"handles": "[]", "since": 0.0, "reason": "no", "looks": 0, "next_at": 1.0}
        connection.execute(insert(revocation_debt).values(row))
    assert DebtLooks(desk.database, {}, hurry.now, Policy).look() == 0
    (debt,) = debts_of(desk)
    assert (debt["next_at"], debt["reason"]) == (None, "no; a person must look")
