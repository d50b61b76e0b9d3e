"""From a queued action to the proof, on a real vault and a real PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import select

from connectors.store.schema import targets

pytestmark = pytest.mark.integration


def test_a_rotation_ends_the_thief_and_is_proven_grade_a(scene, desk, told, worker_for, finish):
    target = scene.target()
    stolen = scene.served(target)
    thief = scene.login(target, stolen)
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target)), action) == "succeeded"

    with pytest.raises(psycopg.OperationalError):
        thief.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        scene.login(target, stolen)
    scene.login(target, scene.served(target)).close()
    proof = desk.proof(action)
    assert proof is not None
    assert proof["grade"] == "A"
    checks = {check["name"]: check for check in proof["checks"]}
    assert set(checks) == {"negative_control", "new_accepted", "sessions_gone", "old_refused"}
    assert checks["old_refused"]["attempts"] >= 3
    assert checks["old_refused"]["code"] == "28P01"
    assert told.endings == [("rotate.credential", "succeeded", "auto")]


def test_the_timeline_says_contained_before_it_says_proven(scene, desk, worker_for, finish):
    target = scene.target()
    action = desk.queue(target)
    finish(desk, worker_for(scene, scene.settings(target)), action)

    kinds = desk.kinds(desk.action(action)["incident_id"])
    order = [kinds.index(kind) for kind in ("executing", "rotated", "contained", "succeeded", "proof")]
    assert order == sorted(order)


def test_the_target_moves_to_its_next_epoch(scene, desk, worker_for, finish):
    target = scene.target()
    action = desk.queue(target)
    finish(desk, worker_for(scene, scene.settings(target)), action)

    with desk.database.reading() as connection:
        row = connection.execute(select(targets).where(targets.c.key == target.key)).mappings().one()
    assert row["epoch"] == 1
    assert row["verified_at"] is not None
    assert row["last_success_at"] is not None
    assert desk.proof(action)["epoch"] == 0


def test_a_drill_proves_and_leaves_the_cooldown_alone(scene, desk, worker_for, finish):
    target = scene.target()
    action = desk.queue(target, drill=True)
    assert finish(desk, worker_for(scene, scene.settings(target)), action) == "succeeded"

    with desk.database.reading() as connection:
        row = connection.execute(select(targets).where(targets.c.key == target.key)).mappings().one()
    assert row["last_success_at"] is None
    assert desk.proof(action)["grade"] == "A"


def test_where_anyone_is_let_in_nothing_is_rotated(trusting_scene, desk, told, worker_for, finish):
    target = trusting_scene.target()
    before = trusting_scene.mark(target)
    action = desk.queue(target)

    assert finish(desk, worker_for(trusting_scene, trusting_scene.settings(target)), action) == "failed"

    assert trusting_scene.mark(target) == before
    assert "random password is let in" in desk.action(action)["reason"]
    assert desk.proof(action) is None


def test_the_escrow_is_ciphertext_and_goes_with_the_proof(scene, desk, worker_for, finish):
    target = scene.target()
    stolen = scene.served(target)
    action = desk.queue(target)
    seen: list[str] = []

    def look(step: str, boundary: str) -> None:
        if (step, boundary) == ("rotate", "before_intent"):
            seen.extend(row["escrow"] for row in desk.steps(action) if row["escrow"])

    finish(desk, worker_for(scene, scene.settings(target), boundary=look), action)

    assert len(seen) == 1
    assert seen[0].startswith("vault:v1:")
    assert stolen not in seen[0]
    assert all(row["escrow"] is None for row in desk.steps(action))


def test_no_password_lies_in_the_database_files(scene, desk, worker_for, finish, tmp_path):
    target = scene.target()
    stolen = scene.served(target)
    settings = scene.settings(target)
    finish(desk, worker_for(scene, settings), desk.queue(target))

    secrets = [stolen, scene.served(target), scene.observer_password, settings.vault.token.reveal()]
    desk.database.close()
    files = [path for path in tmp_path.rglob("davylamp.db*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        assert not [index for index, secret in enumerate(secrets) if secret.encode() in data]
