"""Containments, breakers and shadow figures from the terminal."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from click.testing import CliRunner, Result

from connectors.store import schema
from daemon.cli.containments import containments
from daemon.cli.playbooks import playbooks
from daemon.cli.switch import switch

UNKNOWN = "00000000-0000-8000-8000-000000000000"


@pytest.fixture
def config(world) -> str:
    path = world.folder / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"response": {"database_url": {"value": world.url}}}))
    return str(path)


def call(group, *words: str) -> Result:
    return CliRunner().invoke(group, words)


@pytest.fixture
def standing(world) -> tuple[str, str]:
    """A workload that is cut off for an hour: (its action, its release)."""
    incident = world.incident()
    done = world.action(incident, "deployment/web")
    world.set_action(done, verb="contain.workload", state="succeeded")
    waiting = world.action(incident, "release-of-web")
    at = time.time() + 3600
    plan = json.dumps({"undoes": done})
    world.set_action(waiting, verb="release.workload", state="queued", queued_at=at, plan=plan)
    return done, waiting


def test_what_stands_is_listed_and_ended_by_the_action_that_made_it(world, config, standing) -> None:
    done, waiting = standing
    listed = json.loads(call(containments, "list", "--config", config, "--json").stdout)["containments"]
    assert [(one["containment"], one["release"]) for one in listed] == [(done, waiting)]
    assert waiting in call(containments, "list", "--config", config).stdout
    result = call(containments, "release", done, "--config", config)
    assert (result.exit_code, result.stdout.split()[-1]) == (0, waiting)
    (row,) = [row for row in world.rows(schema.actions) if row["id"] == waiting]
    assert row["queued_at"] <= time.time()


@pytest.mark.parametrize(("action", "code"), [(UNKNOWN, 3), ("all", 2)])
def test_what_does_not_stand_is_not_ended(config, action, code) -> None:
    assert call(containments, "release", action, "--config", config).exit_code == code


def test_an_open_breaker_is_listed_until_somebody_closes_it(world, config) -> None:
    incident = world.incident()
    for name in ("a", "b"):
        world.set_action(world.action(incident, name), state="failed", finished_at=time.time() - 60)
    listed = json.loads(call(switch, "list", "--config", config, "--json").stdout)
    assert listed == [{"name": "breaker:rotate.credential", "failures": 2}]
    assert "2 failures" in call(switch, "list", "--config", config).stdout
    assert call(switch, "close", "rotate.credential", "--config", config).exit_code == 0
    assert json.loads(call(switch, "list", "--config", config, "--json").stdout) == []
    assert call(switch, "close", "Rotate!", "--config", config).exit_code == 2


def test_shadow_figures_are_printed_by_playbook(world, config) -> None:
    incident = world.incident()
    action = world.action(incident, "analytics")
    guards = json.dumps([{"name": "shadow", "passed": True, "reason": "r", "effect": "propose"}])
    long_ago = time.time() - 20 * 86_400
    world.set_action(action, state="succeeded", guards=guards, created_at=long_ago)
    (row,) = [row for row in world.rows(schema.actions) if row["id"] == action]
    world.insert(
        schema.approvals,
        action_id=action,
        approver="alice",
        decision="approve",
        digest=row["digest"],
        at=long_ago,
        via="api",
    )
    told = json.loads(call(playbooks, "agreement", "--config", config, "--json").stdout)["playbooks"]
    assert [(one["approved"], one["agreement"], one["ready"]) for one in told] == [(1, 1.0, True)]
    text = call(playbooks, "agreement", "--config", config).stdout
    assert "100%" in text
    assert (
        json.loads(call(playbooks, "agreement", "--days", "1", "--config", config, "--json").stdout)[
            "playbooks"
        ]
        == []
    )
