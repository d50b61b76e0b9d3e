"""Incidents, actions and targets from the terminal, over the same database and the same API."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import pytest
import yaml
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from config.loader import load
from connectors.store import schema
from daemon.cli.actions import actions
from daemon.cli.incidents import incidents
from daemon.cli.targets import targets
from daemon.roles.web import run
from daemon.runtime import Health, Runtime

TARGET = {"name": "analytics", "classification": "internal", "owner": "platform-data"}


@pytest.fixture
def config(world) -> str:
    path = world.folder / "davylamp.yaml"
    approvers = [{"name": a.name, "token_sha256": a.token_sha256} for a in world.approvers]
    document = {
        "response": {"database_url": {"value": world.url}, "targets": [TARGET]},
        "vault": {"token": {"value": "unused"}},
        "web": {"port": 0, "approvers": approvers},
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.fixture
def pages(world, config) -> Iterator[str]:
    """The web role, running; yields its address."""
    registry = CollectorRegistry()
    role = Runtime("web", Health(time.time, registry), registry, time.time, asyncio.Event())
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await run(load(world.folder / "davylamp.yaml"), role)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    for _ in range(500):
        if "url" in role.status():
            break
        time.sleep(0.02)
    yield str(role.status()["url"])
    loops[0].call_soon_threadsafe(role.stop.set)
    thread.join(10)
    assert not thread.is_alive()


def call(group, *words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, list(words), env=env or {})


def test_incidents_are_listed_and_shown(world, config) -> None:
    incident_id, _ = world.breach()
    world.incident(2, status="closed", title="over")
    result = call(incidents, "list", "--config", config, "--json")
    assert result.exit_code == 0
    assert [line["incident_id"] for line in json.loads(result.stdout)["incidents"]] == [incident_id]
    assert "over" in call(incidents, "list", "--config", config, "--state", "closed").stdout
    shown = call(incidents, "show", incident_id, "--config", config)
    assert shown.exit_code == 0
    assert shown.stdout.index("What the machine already did") < shown.stdout.index("What it waits for")
    assert "grade A: refused 4 times" in shown.stdout
    document = json.loads(call(incidents, "show", incident_id, "--config", config, "--json").stdout)
    assert document["actions"][0]["proof"]["grade"] == "A"


def test_attackers_text_cannot_drive_the_terminal(world, config) -> None:
    incident_id = world.incident(title="\x1b]0;owned\x07[red]x[/red]\u202e")
    for words in (("list",), ("show", incident_id)):
        out = call(incidents, *words, "--config", config).stdout
        assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
        assert "[red]x[/red]" in out.replace("\n", "")


def test_plans_show_the_digest_to_approve(world, config) -> None:
    _, action_id = world.breach()
    row = next(row for row in world.rows(schema.actions) if row["id"] == action_id)
    out = call(actions, "plan", action_id, "--config", config).stdout
    assert row["digest"] in out and "cannot be undone" in out and "0 of 2" in out
    listed = json.loads(call(actions, "list", "--config", config, "--json").stdout)["actions"]
    assert {item["state"] for item in listed} == {"proposed", "succeeded"}


def test_wrong_ids_and_files_have_the_contracts_codes(world, config) -> None:
    missing = "00000000-0000-8000-8000-000000000000"
    assert call(incidents, "show", "x", "--config", config).exit_code == 2
    assert call(incidents, "show", missing, "--config", config).exit_code == 3
    assert call(actions, "plan", missing, "--config", config).exit_code == 3
    wrong = world.folder / "wrong.yaml"
    wrong.write_text("web: {port: 0}\n")
    assert call(incidents, "list", "--config", str(wrong)).exit_code == 2
    wrong.write_text("response: {database_url: {value: 'sqlite:////nowhere/at/all.db'}}\n")
    result = call(incidents, "list", "--config", str(wrong))
    assert result.exit_code == 3 and "database" in result.output


def test_closing_needs_a_reason_and_is_audited(world, config) -> None:
    incident_id = world.incident()
    assert call(incidents, "close", incident_id, "--config", config).exit_code == 2
    words = ("close", incident_id, "--config", config, "--reason", "benign", "--note", "backup job")
    assert call(incidents, *words).exit_code == 0
    row = world.rows(schema.incidents)[0]
    assert (row["status"], row["close_reason"], row["note"]) == ("closed", "benign", "backup job")
    assert [row["action"] for row in world.rows(schema.audit)] == ["incident.close"]
    assert call(incidents, *words).exit_code == 3


def test_a_token_never_travels_in_the_clear(world, config) -> None:
    env = {"DAVYLAMP_APPROVER_TOKEN": "secret-token"}
    incident_id = world.incident()
    words = ("ack", incident_id, "--config", config)
    for url in ("http://lamp.example", "ftp://127.0.0.1", "lamp"):
        result = call(incidents, *words, "--url", url, env=env)
        assert result.exit_code == 2 and "secret-token" not in result.output
    assert "give --url" in call(incidents, *words, env=env).output
    assert call(incidents, *words, "--url", "http://127.0.0.1:1", env=env).exit_code == 3
    assert call(incidents, *words, "--url", "http://127.0.0.1:1").exit_code == 2


@pytest.mark.integration
def test_deciding_goes_through_the_api(world, config, pages, tokens) -> None:
    incident_id, action_id = world.breach()
    future = time.time() + 600
    world.set_action(action_id, expires_at=future)
    digest = next(row["digest"] for row in world.rows(schema.actions) if row["id"] == action_id)
    file = world.folder / "token"
    file.write_text(tokens["bob"] + "\n")
    words = ("approve", action_id, "--config", config, "--url", pages, "--digest", digest)
    env = {"DAVYLAMP_APPROVER_TOKEN": tokens["alice"]}
    first = call(actions, *words, env=env)
    assert (first.exit_code, first.stdout) == (0, "approved: 1 of 2 approvals given\n")
    again = call(actions, *words, env=env)
    assert again.exit_code == 1 and "refused by repeated" in again.output
    second = call(actions, *words, "--token-file", str(file))
    assert second.stdout == "approved: 2 of 2 approvals given\n"
    assert call(incidents, "ack", incident_id, "--config", config, "--url", pages, env=env).exit_code == 0
    assert len(world.rows(schema.approvals)) == 2


def test_targets_are_listed_and_a_drill_is_asked_for(world, config) -> None:
    listed = json.loads(call(targets, "list", "--config", config, "--json").stdout)["targets"]
    assert [(item["key"], item["drilled_at"]) for item in listed] == [
        ("database_static_role:database/analytics", None)
    ]
    assert call(targets, "drill", "nobody", "--config", config).exit_code == 2
    result = call(targets, "drill", "analytics", "--config", config)
    assert result.exit_code == 0
    action = world.rows(schema.actions)[0]
    assert action["drill"] and action["id"] in result.stdout


def test_waiting_for_a_drill_tells_its_grade(world, config) -> None:
    words = ("drill", "analytics", "--config", config, "--wait", "--timeout", "20")
    action_id = call(targets, "drill", "analytics", "--config", config).stdout.split()[-1]
    world.set_action(action_id, state="succeeded", finished_at=1.0)

    def asked_for() -> list[str]:
        return [row["id"] for row in world.rows(schema.actions) if row["state"] == "proposed"]

    def finish() -> None:
        until = time.monotonic() + 20
        while not (waiting := asked_for()) and time.monotonic() < until:
            time.sleep(0.05)
        world.proof(waiting[0], "none")
        world.set_action(waiting[0], state="succeeded", started_at=2.0, finished_at=5.5)

    thread = threading.Thread(target=finish)
    thread.start()
    result = call(targets, *words)
    thread.join()
    assert result.exit_code == 0 and "proof grade A, 3.5 s, proof " in result.stdout
    failed = call(targets, "drill", "analytics", "--config", config, "--wait", "--timeout", "1")
    assert failed.exit_code == 1 and "proof grade none" in failed.stdout
