"""`davylamp targets dry-run` on a real vault: what would die, or what stands in the way, by name."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from config.dump import revealed
from daemon.cli.main import cli

pytestmark = pytest.mark.integration


def run(scene, tmp_path, target, settings, *more, command=("targets", "dry-run"), name=None, url=None):
    """Run the command with a configuration file of `target`; return its result."""
    tree = revealed(settings)
    path = tmp_path / "davylamp.yaml"
    wanted = {"vault": tree["vault"], "response": {"targets": tree["response"]["targets"]}}
    if url is not None:
        wanted["response"]["database_url"] = {"value": url}
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(_without_nothing(wanted)), encoding="utf-8")
    return CliRunner().invoke(cli, [*command, name or target.name, "--config", str(path), *more])


def _without_nothing(tree):
    if isinstance(tree, dict):
        return {key: _without_nothing(value) for key, value in tree.items() if value is not None}
    return [_without_nothing(item) for item in tree] if isinstance(tree, list) else tree


def test_it_says_what_would_end_and_ends_nothing(scene, tmp_path):
    target = scene.dynamic_role()
    made = scene.vault.call("GET", f"database/creds/{target.name}")
    settings = scene.settings(target)

    shown = run(scene, tmp_path, target, settings)
    assert shown.exit_code == 0, shown.output
    assert "proof up to grade A" in shown.output
    assert f"1 lease(s) of database/creds/{target.name} are revoked" in shown.output
    assert "for good: revoked leases stay revoked" in shown.output

    lease = made["lease_id"].rpartition("/")[2]
    told = json.loads(run(scene, tmp_path, target, settings, "--instance", lease, "--json").output)
    assert told["target"].endswith(f"/{target.name}/{lease}")
    assert scene.vault.call("PUT", "sys/leases/lookup", {"lease_id": made["lease_id"]})["data"]["ttl"] > 0


def test_it_names_what_stands_in_the_way(scene, tmp_path):
    target = scene.dynamic_role()
    line = 'path "auth/token/create" { capabilities = ["update"] }'
    lacking = run(scene, tmp_path, target, scene.settings(target, without=line))
    assert lacking.exit_code == 3
    assert "the vault's policy lacks update on auth/token/create" in lacking.output

    odd = run(scene, tmp_path, target, scene.settings(target), "--instance", "../x")
    assert odd.exit_code == 2
    assert "not the name of an instance" in odd.output


def test_a_plan_shows_on_demand_what_it_would_change(scene, desk, tmp_path):
    target = scene.dynamic_role()
    scene.vault.call("GET", f"database/creds/{target.name}")
    settings = scene.settings(target)
    action = desk.queue(target)

    def plan(*more, settings=settings):
        where = {"command": ("actions", "plan"), "name": action, "url": desk.url}
        return run(scene, tmp_path, target, settings, *more, **where)

    assert "Would change now" not in plan().output
    shown = plan("--dry-run")
    assert shown.exit_code == 0, shown.output
    assert f"1 lease(s) of database/creds/{target.name} are revoked" in shown.output
    assert any("are revoked" in line for line in json.loads(plan("--dry-run", "--json").output)["would"])
    line = 'path "auth/token/create" { capabilities = ["update"] }'
    refused = plan("--dry-run", settings=scene.settings(target, without=line))
    assert refused.exit_code == 3
    assert "lacks update on auth/token/create" in refused.output
