"""Drills on real servers open nothing; the very same reads without an intent open a critical incident.

The findings are those of the shipped rules over the vault's own audit log of the drills. By night there are a
hundred of them (`--nightly`).
"""

from __future__ import annotations

import json
import secrets
import time

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import func, select

from config.response import Response
from config.secret import Secret
from config.settings import Settings
from connectors.rotation.catalogue import handlers
from connectors.rotation.catalogue import policy as least_policy
from connectors.store.database import Database, upgrade
from connectors.store.ingest import ingest
from connectors.store.promotion import promote, request_drill
from connectors.store.schema import drills, findings, incidents
from daemon.cli.scan import scan
from daemon.roles.respond.policy import policy_of
from detectors.finding import Finding

pytestmark = pytest.mark.integration
TARGETS = 2


@pytest.fixture
def own(scene):
    """The targets, and settings with a login of Davylamp's own that has an entity, as in production."""
    targets = tuple(scene.target() for _ in range(TARGETS))
    name = "davylamp-" + secrets.token_hex(4)
    text = least_policy(Settings(response=Response(targets=targets)))
    scene.vault.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
    role = {"token_policies": [name], "token_no_default_policy": True, "token_ttl": "1h"}
    scene.vault.call("POST", f"auth/approle/role/{name}", role)
    login = scene.app_login(name)
    settings = scene.settings(*targets)
    token = settings.vault.model_copy(update={"token": Secret(value=SecretStr(login.token))})
    return settings.model_copy(update={"vault": token}), login.entity


@pytest.fixture
def rounds(request):
    """How often each target is drilled: 50 times by night, three times by day."""
    return 50 if request.config.getoption("--nightly") else 3


def drill_all(scene, desk, told, settings, policy, hurry_type, rounds):
    """Drill every target in turn, `rounds` times; each drill has a clock of its own."""
    for _ in range(rounds):
        for target in policy.targets:
            hurry = hurry_type()
            worker = desk.worker(handlers(scene.tools(settings, hurry)), told, clock=hurry.now)
            asked = request_drill(desk.database, target, time.time(), "operator", policy)
            promote(desk.database, time.time(), policy)
            while desk.action(asked)["state"] in ("queued", "executing", "verifying"):
                worker.run_once()


def found_in(lines, tmp_path):
    """What `davylamp scan` finds in the audit log."""
    file = tmp_path / "audit.jsonl"
    file.write_bytes(lines)
    result = CliRunner().invoke(scan, [str(file), "--source", "vault_audit", "--json"])
    assert result.exit_code in (0, 1), result.output
    return [Finding.from_json(json.loads(line)) for line in result.stdout.splitlines()]


def taken(database, found, policy):
    """Ingest `found` as respond does; return the report and the levels of the incidents that are open."""
    rows = [("davylamp.findings", 0, place, finding) for place, finding in enumerate(found)]
    report = ingest(database, rows, {("davylamp.findings", 0): len(rows)}, time.time(), policy)
    with database.reading() as connection:
        return report, list(connection.execute(select(incidents.c.level)).scalars())


def test_drills_open_nothing_and_their_reads_without_intent_do(
    scene, desk, told, own, hurry, rounds, tmp_path
):
    settings, entity = own
    policy = policy_of(settings, {("vault_entity", entity)})
    before = scene.vault.audit_file.stat().st_size
    drill_all(scene, desk, told, settings, policy, type(hurry), rounds)
    found = found_in(scene.vault.audit_file.read_bytes()[before:], tmp_path)

    with desk.database.reading() as connection:
        passed = connection.execute(select(func.count()).where(drills.c.passed)).scalar_one()
    assert passed == TARGETS * rounds
    assert len(found) >= 2 * TARGETS * rounds
    report, levels = taken(desk.database, found, policy)
    assert levels == []
    assert report.own == len(found)
    with desk.database.reading() as connection:
        marks = set(connection.execute(select(findings.c.disposition)).scalars())
    assert marks == {"self"}

    url = f"sqlite:///{tmp_path}/without-intents.db"
    upgrade(url)
    bare = Database(url)
    try:
        report, levels = taken(bare, found, policy)
    finally:
        bare.close()
    assert report.own == 0
    assert levels
    assert set(levels) == {"critical"}
