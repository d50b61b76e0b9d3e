"""A worker is killed at a step's boundary; the next one looks, goes on, proves: one effective rotation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from connectors.store.schema import actions

pytestmark = pytest.mark.integration
CHILD = Path(__file__).with_name("worker_child.py")
STEPS = ("escrow", "negative_control", "new_accepted", "sessions_gone", "old_refused", "prove")
AROUND_ROTATE = [
    ("rotate", boundary)
    for boundary in ("before_intent", "after_intent", "before_call", "after_call", "after_commit")
]
AROUND_OTHERS = [(step, "after_call") for step in STEPS] + [("finish", "before_finish")]


def revealed(value: Any) -> Any:
    """Return settings as plain JSON with their secrets, for the child's private file."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [revealed(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def rotations(scene: Any, target: Any) -> int:
    """Return how many rotate-role calls of this role the vault's audit log has as done."""
    lines = scene.vault.audit_file.read_text(encoding="utf-8").splitlines()
    path = f"database/rotate-role/{target.name}"
    found = [json.loads(line) for line in lines if path in line]
    made = [line for line in found if line["request"]["path"] == path]
    return sum(line["type"] == "response" and not line.get("error") for line in made)


@pytest.mark.parametrize(("step", "boundary"), AROUND_ROTATE + AROUND_OTHERS)
def test_after_a_kill_the_next_worker_finishes(scene, desk, worker_for, finish, tmp_path, step, boundary):
    target = scene.target()
    stolen = scene.served(target)
    settings = scene.settings(target)
    action = desk.queue(target)
    private = tmp_path / "settings.json"
    private.touch(mode=0o600)
    private.write_text(json.dumps(revealed(settings.model_dump())), encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, str(CHILD), str(private), desk.url, step, boundary],
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[3])},
    )
    assert ended.returncode == -signal.SIGKILL
    with desk.database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.id == action).values(lease_until=0.0))

    assert finish(desk, worker_for(scene, settings), action) == "succeeded"

    assert desk.proof(action)["grade"] == "A"
    assert rotations(scene, target) == 1
    scene.login(target, scene.served(target)).close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        scene.login(target, stolen)
    assert "taken_over" in desk.kinds(desk.action(action)["incident_id"])
