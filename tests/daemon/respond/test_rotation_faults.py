"""Every kind through every fault in one run: sealed, refused by a standby, failed after success, no answer.

And two workers at once. Each time: one effective rotation, the proof, and the stolen thing refused.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import update

from config.vault import Vault
from connectors.rotation.database_dynamic_leases import WITNESS_S
from connectors.store.schema import actions

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent


def tool(name: str):
    """Load a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


tool("kubernetes_logins")
cases = tool("rotation_cases")
faults = tool("fault_proxy")
KINDS = list(cases.CASES)


def through(settings, address: str, timeout_s: float):
    vault = Vault(address=address, token=settings.vault.token, timeout_s=timeout_s)
    return settings.model_copy(update={"vault": vault})


def effect_step(worker, case) -> str:
    """Return the step that kills the credential: the irreversible one, else the one that contains."""
    steps = worker.handlers[case.target.kind].STEPS
    kills = [step.name for step in steps if step.irreversible] or [s.name for s in steps if s.milestone]
    return kills[0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_effective_rotation_whatever_the_vault_does(
    scene, desk, told, worker_for, finish, hurry, tmp_path, kind
):
    case = cases.CASES[kind](scene)
    assert case.still_works()
    settings = scene.settings(case.target)
    made = (
        faults.Fault("412", "sys/capabilities-self"),
        faults.Fault("500 after success", case.effect),
        faults.Fault("no answer after success", "GET .*sys/health|GET .*static-roles", at=4),
    )
    sealed = threading.Event()

    def seal(step: str, boundary: str) -> None:
        if (step, boundary) == (effect_step(worker, case), "before_call") and not sealed.is_set():
            sealed.set()
            scene.vault.seal()
            threading.Timer(0.3, scene.vault.unseal).start()

    with faults.proxied(scene.vault.address, *made) as proxy:
        worker = worker_for(scene, through(settings, proxy.address, 1.5), hurry, boundary=seal)
        action = desk.queue(case.meant)
        assert finish(desk, worker, action) == "succeeded", desk.action(action)["reason"]
        assert made[0].made and made[1].made
        assert proxy.carried_out(case.effect) == case.effects
    assert sealed.is_set()
    assert desk.proof(action)["grade"] == case.grade
    assert not case.still_works()
    assert {name for name, _ in told.away} >= {"vault"}

    kept = [case.stolen, settings.vault.token.reveal()]
    desk.database.close()
    for path in tmp_path.rglob("davylamp.db*"):
        data = path.read_bytes()
        assert not [number for number, secret in enumerate(kept) if secret.encode() in data]
    assert not [secret for secret in kept if secret in str(told)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("boundary", ["before_call", "after_call"])
def test_a_second_worker_finishes_and_the_first_one_writes_nothing(
    scene, desk, worker_for, finish, hurry, kind, boundary
):
    case = cases.CASES[kind](scene)
    settings = scene.settings(case.target)
    action = desk.queue(case.meant)
    ended: list[str] = []

    def overtaken(step: str, at: str) -> None:
        if (step, at) == (effect_step(first, case), boundary) and not ended:
            with desk.database.transaction() as connection:
                connection.execute(update(actions).where(actions.c.id == action).values(lease_until=0.0))
            ended.append(finish(desk, worker_for(scene, settings, hurry, name="worker-2"), action))

    with faults.proxied(scene.vault.address) as proxy:
        behind = through(settings, proxy.address, 5.0)
        first = worker_for(scene, behind, hurry, boundary=overtaken)
        first.run_once()
        sent_late = proxy.carried_out(case.effect)

    assert ended == ["succeeded"]
    assert sent_late == 0 if boundary == "before_call" else sent_late >= 1
    assert finish(desk, worker_for(scene, settings, hurry, name="worker-3"), action) == "succeeded"
    assert desk.proof(action)["grade"] in (case.grade, "B")
    assert not case.still_works()


class Killed(BaseException):
    """The worker is gone: nothing that it holds is given back."""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "static_role"])
@pytest.mark.parametrize("place", ["negative_control", "effect"])
def test_what_a_killed_worker_left_is_finished_and_nothing_stays_behind(
    scene, desk, worker_for, finish, hurry, kind, place
):
    case = cases.CASES[kind](scene)
    settings = scene.settings(case.target)
    action = desk.queue(case.meant)

    def die(step: str, at: str) -> None:
        wanted = effect_step(doomed, case) if place == "effect" else place
        if (step, at) == (wanted, "after_call"):
            raise Killed

    doomed = worker_for(scene, settings, hurry, boundary=die)
    with pytest.raises(Killed):
        doomed.run_once()
    with desk.database.transaction() as connection:
        connection.execute(update(actions).where(actions.c.id == action).values(lease_until=0.0))

    assert finish(desk, worker_for(scene, settings, hurry, name="worker-2"), action) == "succeeded"

    assert desk.proof(action)["grade"] == case.grade
    assert not case.still_works()
    assert case.left_behind() <= WITNESS_S
