"""AppRoles, tokens, entities on a real vault: the stolen thing is replayed against it and refused."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from config.response import Response
from config.secret import Secret
from config.settings import Settings
from config.vault import Vault
from connectors.rotation.catalogue import handlers, policy
from connectors.rotation.vault_entity import VaultEntityTarget
from connectors.rotation.vault_token import VaultTokenTarget
from playbooks.policy import Policy
from playbooks.ports import StepContext
from playbooks.target import TargetRef

pytestmark = pytest.mark.integration


def secret(text: str) -> Secret:
    return Secret(value=SecretStr(text))


def app_login_again(scene, login) -> int:
    """Replay a secret id; return the vault's status."""
    body = {"role_id": login.role_id, "secret_id": login.secret_id}
    return httpx.post(f"{scene.vault.address}/v1/auth/approle/login", json=body, trust_env=False).status_code


def meant(target, instance: str):
    return target.model_copy(update={"name": f"{target.name}/{instance}"})


def names(proof) -> set[str]:
    return {check["name"] for check in proof["checks"]}


def test_a_leaked_secret_id_and_its_tokens_are_refused_by_the_vault(scene, desk, worker_for, finish):
    target = scene.approle()
    stolen = scene.app_login(target.name)
    target = target.model_copy(update={"leaked": secret(stolen.secret_id), "entity": stolen.entity})
    action = desk.queue(meant(target, stolen.accessor))

    assert finish(desk, worker_for(scene, scene.settings(target)), action) == "succeeded"

    proof = desk.proof(action)
    assert proof["grade"] == "A"
    assert app_login_again(scene, stolen) == 400
    assert not scene.lets_in(stolen.token)
    assert scene.lets_in(scene.app_login(target.name).token), "the entity is enabled again"


def test_stopped_after_the_brake_the_entity_is_let_go_again(scene, desk, worker_for, finish, hurry):
    target = scene.approle()
    login = scene.app_login(target.name)
    target = target.model_copy(update={"entity": login.entity})
    halted: list[str] = []

    def stop(step: str, boundary: str) -> None:
        if (step, boundary) == ("brake", "after_commit"):
            assert not scene.lets_in(login.token)
            halted.append(step)

    worker = worker_for(
        scene,
        scene.settings(target),
        hurry,
        boundary=stop,
        policy=lambda: Policy(kill_switch=bool(halted)),
    )
    action = desk.queue(target)

    assert finish(desk, worker, action) == "cancelled"

    assert "nothing was rotated; the entity is enabled again" in desk.action(action)["reason"]
    assert scene.lets_in(login.token)
    assert app_login_again(scene, login) == 200


def test_without_the_leaked_text_a_role_is_rotated_with_grade_b(scene, desk, worker_for, finish, hurry):
    target = scene.approle()
    known = [scene.app_login(target.name) for _ in range(3)]
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    assert desk.proof(action)["grade"] == "B"
    assert [app_login_again(scene, login) for login in known] == [400, 400, 400]
    assert not any(scene.lets_in(login.token) for login in known)


def test_one_secret_id_is_destroyed_and_the_others_log_in_again(scene, desk, worker_for, finish, hurry):
    target = scene.approle()
    stolen, other = scene.app_login(target.name), scene.app_login(target.name)
    action = desk.queue(meant(target, stolen.accessor))

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    assert app_login_again(scene, stolen) == 400
    assert not scene.lets_in(other.token), "no token says of which secret id it is: all end"
    assert app_login_again(scene, other) == 200


def test_batch_tokens_of_a_role_are_held_by_the_entity(scene, desk, worker_for, finish, hurry):
    target = scene.approle(batch=True)
    stolen = scene.app_login(target.name)
    assert stolen.token.startswith("b.")
    action = desk.queue(target.model_copy(update={"entity": ""}))
    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "failed"
    assert "batch tokens, which cannot be revoked" in desk.action(action)["reason"]
    assert scene.lets_in(stolen.token)

    braked = target.model_copy(update={"entity": stolen.entity})
    action = desk.queue(braked)
    assert finish(desk, worker_for(scene, scene.settings(braked), hurry), action) == "succeeded", desk.action(
        action
    )["reason"]

    assert desk.proof(action)["grade"] == "B"
    assert "new_accepted" not in names(desk.proof(action))
    assert not scene.lets_in(stolen.token)


def test_a_token_is_revoked_with_its_children(scene, desk, worker_for, finish, hurry):
    parent = scene.vault.call("POST", "auth/token/create-orphan", {"policies": ["default"]})["auth"]
    root = scene.vault.call("POST", "auth/token/create", {"policies": ["root"], "ttl": "1h"})["auth"]
    child = scene.vault.call(
        "POST", "auth/token/create", {"policies": ["default"]}, token=root["client_token"]
    )
    target = VaultTokenTarget(
        name="any", classification="internal", owner="platform", leaked=secret(root["client_token"])
    )
    action = desk.queue(meant(target, root["accessor"]))

    assert finish(desk, worker_for(scene, scene.settings(target), hurry), action) == "succeeded"

    proof = desk.proof(action)
    assert proof["grade"] == "B", "a revoked token has no successor"
    assert {"negative_control", "sessions_gone", "old_refused"} == names(proof)
    assert not scene.lets_in(root["client_token"])
    assert not scene.lets_in(child["auth"]["client_token"])
    assert scene.lets_in(parent["client_token"])


def test_our_own_token_and_a_batch_token_are_never_touched(scene, desk, worker_for, finish, hurry):
    target = VaultTokenTarget(name="any", classification="internal", owner="platform")
    settings = scene.settings(target)
    own = scene.vault.call("GET", "auth/token/lookup-self", token=settings.vault.token.reveal())["data"]
    for instance, said in ((own["accessor"], "our own token"), ("", "a batch token has none")):
        name = meant(target, instance) if instance else target
        action = desk.queue(name)
        assert finish(desk, worker_for(scene, settings, hurry), action) == "failed"
        assert said in desk.action(action)["reason"]
    assert scene.lets_in(settings.vault.token.reveal())


def test_the_role_of_our_own_login_is_never_touched(scene, desk, worker_for, finish, hurry):
    target = scene.approle()
    name = "own-" + target.name
    text = policy(Settings(response=Response(targets=(target,))))
    scene.vault.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
    scene.vault.call("POST", f"auth/approle/role/{target.name}", {"token_policies": name})
    own = scene.app_login(target.name)
    settings = Settings(
        vault=Vault(address=scene.vault.address, token=secret(own.token)),
        response=Response(targets=(target,)),
    )
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, settings, hurry), action) == "failed"

    assert "the role of our own login" in desk.action(action)["reason"]
    assert app_login_again(scene, own) == 200


def test_an_entity_is_held_and_let_go_with_everything_that_it_had(scene, desk, worker_for, finish, hurry):
    role = scene.approle(batch=True)
    stolen = scene.app_login(role.name)
    scene.vault.call("POST", f"identity/entity/id/{stolen.entity}", {"metadata": {"team": "data"}})
    before = scene.vault.call("GET", f"identity/entity/id/{stolen.entity}")["data"]
    target = VaultEntityTarget(
        name=stolen.entity, classification="internal", owner="platform", leaked=secret(stolen.token)
    )
    settings = scene.settings(target)
    action = desk.queue(target)

    assert finish(desk, worker_for(scene, settings, hurry), action) == "succeeded"
    assert desk.proof(action)["grade"] == "B"
    assert not scene.lets_in(stolen.token)

    handler = handlers(scene.tools(settings))["vault_entity"]
    ref = TargetRef(target.kind, target.mount, target.name, "internal", "platform")
    context = StepContext(ref, action, "contain", 1, lambda: 0.0, {"was_disabled": False})
    brake = next(step for step in handler.steps(ref) if step.undo)
    for _ in range(2):
        handler.undo(brake, context)
    after = scene.vault.call("GET", f"identity/entity/id/{stolen.entity}")["data"]
    for key in ("name", "metadata", "policies", "disabled"):
        assert after[key] == before[key]
    assert scene.lets_in(stolen.token), "why the brake holds until the last batch token has expired"
