"""A schedule's way on real servers: due, let through by the guards, rotated orderly, proven, not overdue."""

from __future__ import annotations

import json
import time

import psycopg
import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from config.errors import ConfigurationError
from config.loader import load
from config.schedules import Schedule
from connectors.rotation.catalogue import handlers
from connectors.store.promotion import promote, request_drill
from connectors.store.schema import actions, incidents, targets
from daemon.cli.targets import targets as targets_command
from daemon.roles.respond.policy import policy_of
from daemon.roles.respond.schedule_metrics import ScheduleMetrics
from daemon.roles.respond.schedule_settings import timetable_of
from daemon.roles.respond.scheduling import Scheduling

DAY = 86_400.0


@pytest.fixture
def overdue(desk, tmp_path):
    """A function (schedules, max_age_days, *words) -> exit code and output of `targets overdue`."""

    def ask(schedules, max_age, *words):
        response = {
            "database_url": {"value": desk.url},
            "targets": [{"name": "analytics", "classification": "internal", "owner": "data"}],
            "schedules": schedules,
            "max_age_days": max_age,
        }
        file = tmp_path / "davylamp.yaml"
        file.write_text(yaml.safe_dump({"response": response, "vault": {"token": {"value": "unused"}}}))
        result = CliRunner().invoke(targets_command, ["overdue", "--config", str(file), *words])
        if isinstance(result.exception, ConfigurationError):
            raise result.exception
        return result.exit_code, result.output

    return ask


def scheduling(desk, settings, policy, clock):
    """The loop as respond wires it, and its registry."""
    registry = CollectorRegistry()
    made = Scheduling(desk.database, timetable_of(settings), lambda: policy, clock, ScheduleMetrics(registry))
    return made, registry


@pytest.mark.integration
def test_a_schedule_rotates_and_proves_by_itself(scene, desk, told, hurry):
    target = scene.target()
    schedule = Schedule(name="weekly", cron="0 3 * * 0", targets=(target.name,), jitter_s=0)
    settings = scene.settings(target)
    changed = settings.response.model_copy(update={"schedules": (schedule,), "mode": "auto"})
    settings = settings.model_copy(update={"response": changed})
    policy = policy_of(settings)
    stolen = scene.served(target)

    def work():
        worker = desk.worker(handlers(scene.tools(settings, hurry)), told, clock=hurry.now)
        promote(desk.database, hurry.now(), policy)
        while worker.run_once():
            pass

    request_drill(desk.database, target.key, hurry.now(), "operator", policy)
    work()
    drilled = scene.served(target)
    assert drilled != stolen
    with desk.database.transaction() as connection:  # the drill was long ago
        connection.execute(targets.update().values(rotated_at=1.0, verified_at=1.0))
    early, _ = scheduling(desk, settings, policy, lambda: time.time() - 8 * DAY)
    early.turn()
    loop, registry = scheduling(desk, settings, policy, hurry.now)
    loop.turn()
    work()
    loop.turn()

    with desk.database.reading() as connection:
        routine = select(actions).where(actions.c.requester == "schedule:weekly")
        (row,) = connection.execute(routine).mappings()
        assert connection.execute(select(incidents)).all() == []
    assert (row["state"], row["mode"], row["auto"]) == ("succeeded", "orderly", True)
    assert row["playbook_id"] == "leaked-credential"
    assert desk.proof(row["id"])["mode"] == "orderly"
    assert desk.proof(row["id"])["grade"] == "A"
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        scene.login(target, drilled)
    proposed = {"schedule": "weekly", "when": "late"}
    assert registry.get_sample_value("davylamp_schedule_proposed_total", proposed) == 1
    after, registry = scheduling(desk, settings, policy, hurry.now)
    after.turn()
    assert registry.get_sample_value("davylamp_target_age_seconds", {"target": target.key}) is not None
    assert registry.get_sample_value("davylamp_target_overdue", {"target": target.key, "why": "late"}) is None


def test_overdue_is_nothing_and_zero_when_nobody_asks_for_anything(overdue):
    code, output = overdue([], {}, "--json")
    assert (code, json.loads(output)["overdue"]) == (0, [])


def test_a_target_that_was_never_proven_is_overdue(overdue):
    code, output = overdue([], {"internal": 30}, "--json")
    (one,) = json.loads(output)["overdue"]
    assert code == 1
    assert (one["target"], one["why"]) == ("database_static_role:database/analytics", "never_proven")
    code, output = overdue([], {"internal": 30})
    assert code == 1
    assert "never proven" in output


def test_a_late_rotation_says_since_when_and_the_metric_shows_it(overdue, desk):
    schedules = [{"name": "daily", "cron": "0 3 * * *", "targets": ["analytics"], "late_s": 3600}]
    overdue(schedules, {})
    file_settings = settings_with(schedules)
    policy = policy_of(file_settings)
    old, _ = scheduling(desk, file_settings, policy, lambda: time.time() - 5 * DAY)
    old.turn()
    now, registry = scheduling(desk, file_settings, policy, time.time)
    now.turn()

    code, output = overdue(schedules, {}, "--json")
    (one,) = json.loads(output)["overdue"]
    assert code == 1
    assert (one["why"], one["schedule"], one["state"]) == ("late", "daily", "proposed")
    assert 4 * DAY - 7200 < one["overdue_s"] <= 5 * DAY
    label = {"target": one["target"], "why": "late"}
    assert registry.get_sample_value("davylamp_target_overdue", label) == 1


def test_a_schedule_that_names_nobody_is_refused(overdue):
    with pytest.raises(ConfigurationError, match="'nobody' is no configured target"):
        overdue([{"name": "x", "cron": "0 3 * * *", "targets": ["nobody"]}], {})


def settings_with(schedules):
    """Settings of one target and these schedules."""
    flags = {
        "response.targets": [{"name": "analytics", "classification": "internal", "owner": "data"}],
        "response.schedules": schedules,
        "vault.token": {"value": "unused"},
    }
    return load(None, flags=flags)
