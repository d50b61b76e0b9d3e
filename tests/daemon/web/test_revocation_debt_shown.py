"""What is owed, as people see it: on the incident's page, in its JSON, and by `davylamp targets debt`."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner, Result

from connectors.store import schema
from daemon.cli.incidents import incidents
from daemon.cli.targets import targets
from detectors.finding import parse_rfc3339

NOW = 1_795_400_000.0
HOSTILE = "key <script>alert(1)</script>\u202e\n{{ 7*7 }}"


@pytest.fixture
def owing(world) -> str:
    """An incident with one debt, whose texts an attacker wrote; returns the action's id."""
    incident_id, action_id = world.breach()
    world.insert(
        schema.revocation_debt,
        action_id=action_id,
        incident_id=incident_id,
        target_key="database_static_role:database/customer-records",
        epoch=4,
        credential=HOSTILE,
        handles="[]",
        since=NOW - 600,
        reason="the old password is still let in",
        state="owed",
        looks=2,
        next_at=NOW + 120,
    )
    return action_id


@pytest.fixture
def config(world) -> str:
    path = world.folder / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"response": {"database_url": {"value": world.url}}}))
    return str(path)


def call(command: object, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))  # type: ignore[arg-type]


def incident_of(world) -> str:
    return str(world.rows(schema.incidents)[0]["id"])


async def test_the_page_says_what_is_owed_and_that_nothing_ends_before(world, client, owing):
    answer = await client().get(f"/incidents/{incident_of(world)}")
    assert answer.status_code == 200
    assert "1 old credential not proven dead" in answer.text
    assert "the old password is still let in" in answer.text
    assert "can be neither recovered nor closed" in answer.text
    assert "<script>" not in answer.text
    assert "{{ 7*7 }}" in answer.text


async def test_a_page_without_debt_has_no_such_section(world, client):
    incident_id, _ = world.breach()
    assert "Revocation debt" not in (await client().get(f"/incidents/{incident_id}")).text


async def test_the_json_of_an_incident_lists_its_debts(world, client, owing):
    (debt,) = (await client().get(f"/api/incidents/{incident_of(world)}")).json()["revocation_debt"]
    assert (debt["action_id"], debt["state"], debt["epoch"], debt["looks"]) == (owing, "owed", 4, 2)
    assert parse_rfc3339(debt["next_at"]) == NOW + 120


def test_the_command_lists_what_is_owed(world, config, owing):
    table = call(targets, "debt", "--config", config)
    assert table.exit_code == 0
    assert "customer-records" in table.output
    assert owing in table.output
    assert "\u202e" not in table.output
    listed = json.loads(call(targets, "debt", "--config", config, "--json").output)
    assert listed["owed"] == 1
    assert listed["debts"][0]["reason"] == "the old password is still let in"


def test_nothing_owed_is_an_empty_list_and_no_failure(world, config):
    listed = call(targets, "debt", "--config", config, "--json")
    assert (listed.exit_code, json.loads(listed.output)) == (0, {"owed": 0, "debts": []})


def test_a_database_that_is_away_is_exit_code_three(tmp_path):
    path = tmp_path / "davylamp.yaml"
    away = {"response": {"database_url": {"value": f"sqlite:///{tmp_path}/none/davylamp.db"}}}
    path.write_text(yaml.safe_dump(away))
    assert call(targets, "debt", "--config", str(path)).exit_code == 3


def test_an_owing_incident_is_not_closed_until_somebody_answers_for_it(world, config, owing):
    close = ("close", incident_of(world), "--reason", "mitigated", "--config", config)
    refused = call(incidents, *close)
    assert refused.exit_code != 0
    assert "not proven dead" in refused.output
    settle = ("debt", "--config", config, "--settle", owing)
    assert call(targets, *settle).exit_code == 2, "without a note"
    assert call(targets, *settle, "--note", "dropped by hand").exit_code == 0
    assert call(targets, *settle, "--note", "dropped by hand").exit_code == 2, "it owes nothing now"
    assert call(incidents, *close).exit_code == 0
    (settled,) = [row for row in world.rows(schema.audit) if row["action"] == "debt.settle"]
    assert json.loads(settled["detail"]) == {"note": "dropped by hand"}
    shown = call(targets, "debt", "--all", "--config", config)
    assert "settled" in shown.output
