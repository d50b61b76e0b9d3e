"""A kind that changes nothing for good, on a real vault: what its ending says of what was done."""

from __future__ import annotations

import pytest

from connectors.rotation.vault_entity import VaultEntityTarget
from playbooks.policy import Policy

pytestmark = pytest.mark.integration


@pytest.fixture
def entity(scene):
    """An entity that somebody logged in as, as a target, and its token."""
    stolen = scene.app_login(scene.approle(batch=True).name)
    target = VaultEntityTarget(name=stolen.entity, classification="internal", owner="platform")
    return target, stolen.token


def test_the_kill_switch_between_brake_and_proof_leaves_no_brake_without_a_proof(
    scene, desk, worker_for, finish, hurry, entity
):
    target, token = entity
    engaged: list[str] = []

    def engage(step: str, boundary: str) -> None:
        if (step, boundary) == ("brake", "after_commit"):
            engaged.append(step)

    worker = worker_for(
        scene,
        scene.settings(target),
        hurry,
        boundary=engage,
        policy=lambda: Policy(kill_switch=bool(engaged)),
    )
    action = desk.queue(target)
    assert finish(desk, worker, action) == "succeeded", desk.action(action)["reason"]
    assert engaged
    assert not scene.lets_in(token)


def test_the_kill_switch_before_the_brake_changes_nothing(scene, desk, worker_for, finish, hurry, entity):
    target, token = entity
    worker = worker_for(scene, scene.settings(target), hurry, policy=lambda: Policy(kill_switch=True))
    action = desk.queue(target)
    assert finish(desk, worker, action) == "cancelled"
    assert desk.action(action)["reason"] == "the kill switch is on: nothing was changed"
    assert scene.lets_in(token)


def test_a_brake_that_somebody_lets_go_before_its_proof_needs_a_person(
    scene, desk, worker_for, finish, hurry, entity
):
    target, token = entity

    def let_go(step: str, boundary: str) -> None:
        if (step, boundary) == ("brake", "after_commit"):
            scene.vault.call("POST", f"identity/entity/id/{target.name}", {"disabled": False})

    worker = worker_for(scene, scene.settings(target), hurry, boundary=let_go)
    action = desk.queue(target)
    assert finish(desk, worker, action) == "needs_human"
    reason = desk.action(action)["reason"]
    assert "done and not proven: entity disabled" in reason
    assert "nothing was" not in reason
    assert desk.proof(action)["grade"] is None
    assert scene.lets_in(token)
