"""`davylamp targets consumers` on a real vault and database: who uses it, before anything is rotated."""

from __future__ import annotations

import json

import psycopg
import pytest
import yaml
from click.testing import CliRunner

from config.dump import revealed
from config.errors import ConfigurationError
from daemon.cli.main import cli

pytestmark = pytest.mark.integration


def without_nothing(tree):
    if isinstance(tree, dict):
        return {key: without_nothing(value) for key, value in tree.items() if value is not None}
    return [without_nothing(item) for item in tree] if isinstance(tree, list) else tree


@pytest.fixture
def asked(scene, desk, tmp_path):
    """Return a function that asks about a target with an inventory; it returns the command's result."""

    def run(target, entries, *more):
        tree = revealed(scene.settings(target))
        inventory = tmp_path / "consumers.yaml"
        inventory.write_text(yaml.safe_dump({target.key: entries}))
        wanted = {
            "vault": tree["vault"],
            "response": {
                "targets": tree["response"]["targets"],
                "database_url": {"value": desk.url},
                "consumers": {"inventory": [str(inventory)]},
            },
        }
        path = tmp_path / "davylamp.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(without_nothing(wanted)))
        return CliRunner().invoke(cli, ["targets", "consumers", target.name, "--config", str(path), *more])

    return run


def test_it_names_sessions_and_the_inventory(scene, asked):
    target = scene.pair()
    login = scene.vault.call("GET", f"database/static-creds/{target.first}")["data"]
    dsn = scene.database.dsn_for(login["username"], login["password"])
    entries = [{"name": "nightly report", "application": "report"}]
    with psycopg.connect(dsn, application_name="orders-api"):
        done = asked(target, entries)
        told = json.loads(asked(target, entries, "--json").output)
    assert done.exit_code == 0, done.output
    assert f"{target.first} is in use, consumers move to {target.second}" in done.output
    assert login["password"] not in done.output
    assert told["consumers"] == [
        {
            "name": "nightly report",
            "known_by": ["inventory"],
            "expected": True,
            "on_old": "",
            "on_new": False,
        },
        {
            "name": "orders-api",
            "known_by": ["session"],
            "expected": True,
            "on_old": "session at 127.0.0.1",
            "on_new": False,
        },
    ]


def test_a_single_login_has_consumers_too_and_other_kinds_say_that_they_cannot_tell(scene, asked):
    target = scene.target()
    with psycopg.connect(
        scene.database.dsn_for(target.login, scene.served(target)), application_name="analytics"
    ):
        told = json.loads(asked(target, [], "--json").output)
    assert [one["name"] for one in told["consumers"]] == ["analytics"]

    unseen = asked(scene.approle(), [])
    assert unseen.exit_code == 3 and "cannot be seen" in unseen.output


def test_an_inventory_that_cannot_be_used_is_named_with_its_line(scene, asked):
    refused = asked(scene.target(), [{"name": "x"}])
    assert refused.exit_code == 2
    assert "consumers.yaml:2" in refused.output and "says not how it is recognised" in refused.output


def test_the_configuration_is_checked_with_its_inventory(tmp_path):
    inventory = tmp_path / "consumers.yaml"
    inventory.write_text("database_static_role:database/nobody:\n  - {name: x, entity: e}\n")
    path = tmp_path / "davylamp.yaml"
    path.write_text(yaml.safe_dump({"response": {"consumers": {"inventory": [str(inventory)]}}}))

    done = CliRunner().invoke(cli, ["config", "check", "--config", str(path)])

    assert isinstance(done.exception, ConfigurationError), "which is exit code 2 (daemon/cli/main.py)"
    assert f"{inventory}:1: database_static_role:database/nobody: is no" in str(done.exception)
