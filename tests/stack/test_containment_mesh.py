"""Denial in the mesh by AuthorizationPolicy, on the real API server with Istio's real definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.running import context_of, run
from cluster_response.scene import Scene
from crds.cluster import install_definitions
from crds.definitions import definitions
from parts.kubernetes import KubernetesPart
from parts.kubernetes_objects import namespace
from parts.part import PartMissingError

from connectors.containment.mesh_deny import MeshDeny
from connectors.containment.tools import Tools
from connectors.kubernetes.protected import Protected
from playbooks.containment import containment_grade
from playbooks.ports import StepFailedError
from playbooks.target import TargetRef

ROOT = "mesh-root"
MESH = "security.istio.io"


@pytest.fixture(scope="module")
def mesh(kubernetes: KubernetesPart) -> KubernetesPart:
    """The API server with Istio's AuthorizationPolicy, and a root namespace."""
    try:
        found = definitions()
    except PartMissingError as error:
        pytest.skip(f"definitions: {error}")
    install_definitions(kubernetes, {"AuthorizationPolicy": found["AuthorizationPolicy"]})
    namespace(kubernetes, ROOT)
    return kubernetes


@pytest.fixture
def scene(mesh: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(mesh, "mesh-deny")
    yield made
    made.close()


def target(scene: Scene, name: str = "web") -> TargetRef:
    return TargetRef("mesh_deny", scene.space, name, "internal", "platform")


def verb(scene: Scene, ref: TargetRef) -> tuple[MeshDeny, Any]:
    rights = MeshDeny(Tools(kubernetes=None, mesh_namespace=ROOT)).rights(ref)  # type: ignore[arg-type]
    client, faulty = scene.client(scene.caller(rights))
    return MeshDeny(Tools(kubernetes=client, mesh_namespace=ROOT)), faulty


def mine(scene: Scene) -> list[Any]:
    found = scene.objects("authorizationpolicies", MESH, ROOT)
    return [one for one in found if f"/ns/{scene.space}/" in str(one["spec"])]


@pytest.mark.claim(
    "a mesh denial names exactly one principal, says which pods have it, and is released", on=("istio",)
)
def test_an_identity_is_denied_and_released(scene: Scene) -> None:
    pods = scene.deployment("web", {"app": "web"})
    scene.pod("other", {"app": "other"}, serviceAccountName="db")
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    principal = f"cluster.local/ns/{scene.space}/sa/web"
    assert f"denies {principal}, which 2 pod(s) have: {', '.join(pods)}" in made.dry_run(context)
    assert mine(scene) == []
    assert containment_grade(run(made, context)) == "C"
    (found,) = mine(scene)
    assert found["spec"] == {
        "action": "DENY",
        "rules": [{"from": [{"source": {"principals": [principal]}}]}],
    }
    run(made, context, made.undo_steps(ref))
    assert mine(scene) == []


@pytest.mark.claim("without one of its rights a mesh denial refuses by its name", on=("istio",))
def test_one_right_less_is_named(scene: Scene) -> None:
    ref = target(scene)
    whole = MeshDeny(Tools(kubernetes=None, mesh_namespace=ROOT)).rights(ref)  # type: ignore[arg-type]
    for gone in whole:
        client, _ = scene.client(scene.caller([one for one in whole if one != gone]))
        with pytest.raises(StepFailedError) as error:
            run(MeshDeny(Tools(kubernetes=client, mesh_namespace=ROOT)), context_of(ref))
        assert error.value.reason == f"the API server lets us not: {gone}"
    assert mine(scene) == []


@pytest.mark.claim(
    "an identity that is protected, has no account or no name, or would match others, is refused",
    on=("istio",),
)
def test_protected_and_nameless_identities_are_refused(scene: Scene) -> None:
    client, faulty = scene.client("nobody")
    deny = Protected(accounts=[f"{scene.space}/db"])
    made = MeshDeny(Tools(kubernetes=client, protected=deny, mesh_namespace=ROOT))
    for name in ("db", "*", "web*", "web/../db", "", "Web"):
        with pytest.raises(StepFailedError):
            run(made, context_of(target(scene, name)))
    assert faulty.seen == []
    ghost = target(scene, "ghost")
    with pytest.raises(StepFailedError, match="404 NotFound"):
        run(verb(scene, ghost)[0], context_of(ghost))
    assert mine(scene) == []


@pytest.mark.claim("an API server that lost the answer, or does not know Istio, is told apart", on=("istio",))
def test_a_lost_answer_and_a_missing_mesh(scene: Scene) -> None:
    ref = target(scene)
    made, faulty = verb(scene, ref)
    context = context_of(ref)
    run(made, context, made.steps(ref)[:3])
    faulty.next("POST", "authorizationpolicies", "503_after")
    assert containment_grade(run(made, context, made.steps(ref)[3:])) == "C"
    assert len(mine(scene)) == 1


@pytest.mark.claim("a worker killed after every call leaves one denial, and one release of it", on=("istio",))
def test_a_worker_killed_after_every_call(scene: Scene) -> None:
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    assert containment_grade(run(made, context, killed=True)) == "C"
    assert len(mine(scene)) == 1
    run(made, context, made.undo_steps(ref), killed=True)
    assert mine(scene) == []
