"""Bound tokens of a service account die on the real API server, seen by TokenReview."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.escrow import settings_for, tools_for
from cluster_response.faulty import Faulty
from cluster_response.running import context_of, run
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart
from parts.kubernetes_objects import account_token
from pydantic import SecretStr

from config.secret import Secret
from connectors.kubernetes.cluster import Cluster, client_of
from connectors.kubernetes.permission import Permission
from connectors.rotation.kubernetes_service_account import KubernetesServiceAccount
from connectors.rotation.kubernetes_service_account import KubernetesServiceAccountTarget as Target
from daemon.demo.parts.openbao import OpenBaoPart
from playbooks.ports import StepContext, StepFailedError
from playbooks.proof import grade
from playbooks.target import TargetRef, instance_of


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path_factory.mktemp("vault"))
    part.start()
    yield part
    part.stop()


@pytest.fixture
def scene(kubernetes: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(kubernetes, "tokens")
    yield made
    made.close()


def target(scene: Scene, **changes: Any) -> Target:
    token = Secret(value=SecretStr("unused"))
    cluster = Cluster(address=scene.server.url, token=token, ca_file=scene.server.ca_file)
    return Target(mount=scene.space, name="web", classification="internal", cluster=cluster, **changes)


def ref(made: Target, instance: str = "") -> TargetRef:
    found = TargetRef(made.kind, made.mount, made.name, made.classification, made.owner)
    return instance_of(found, instance) if instance else found


def handler(
    scene: Scene,
    vault: OpenBaoPart,
    made: Target,
    *,
    less: Permission | None = None,
    without: str = "",
) -> tuple[KubernetesServiceAccount, Faulty]:
    """Return the handler with exactly its rights at the API server and its policy at the vault."""
    settings = settings_for(vault, made, without=without)
    tools = tools_for(settings)
    rights = KubernetesServiceAccount({}, tools).rights(made)
    client, faulty = scene.client(scene.caller([one for one in rights if one != less]))
    known = {made.key: made}
    return KubernetesServiceAccount(known, tools, connect=lambda _cluster: client), faulty


def taken(scene: Scene, token: str) -> bool:
    """Return whether the API server lets the bearer in."""
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    body = {"spec": {"namespace": scene.space}}
    return scene.server.call("POST", path, body, token=token).status_code == 201


def account(scene: Scene) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{scene.space}/serviceaccounts/web"
    return scene.server.call("GET", path).json()


def leak(context: StepContext) -> bool:
    return "eyJ" in str(context.state)


@pytest.mark.claim(
    "remaking a service account kills every token bound to it, and keeps name and labels: grade A",
    on=("vault",),
)
def test_an_account_is_remade_and_its_tokens_die(scene: Scene, vault: OpenBaoPart) -> None:
    pods = scene.deployment("web", {"app": "web"}, nodeName="")
    scene.server.call(
        "PATCH",
        f"/api/v1/namespaces/{scene.space}/serviceaccounts/web",
        {"metadata": {"labels": {"team": "shop"}}, "imagePullSecrets": [{"name": "pull"}]},
    )
    stolen = account_token(scene.server, scene.space, "web", pod=pods[0])
    other = account_token(scene.server, scene.space, "db")
    before = account(scene)
    made = target(scene)
    rotation, _ = handler(scene, vault, made)
    context = context_of(ref(made))
    lines = rotation.dry_run(context)
    assert lines[1] == f"2 pod(s) are restarted: {pods[0]}, {pods[1]}"
    assert taken(scene, stolen)
    checks = run(rotation, context, killed=True)
    assert grade(checks) == "A"
    assert not taken(scene, stolen)
    assert taken(scene, other)
    after = account(scene)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert (after["metadata"]["labels"], after["imagePullSecrets"]) == ({"team": "shop"}, [{"name": "pull"}])
    assert not leak(context)


@pytest.mark.claim(
    "one pod's token dies with the pod, though each worker is killed after its call: grade A", on=("vault",)
)
def test_one_pods_token_dies_with_it(scene: Scene, vault: OpenBaoPart) -> None:
    pods = scene.deployment("web", {"app": "web"}, nodeName="")
    stolen, kept = (account_token(scene.server, scene.space, "web", pod=pod) for pod in pods)
    made = target(scene)
    rotation, _ = handler(scene, vault, made)
    before = account(scene)["metadata"]["uid"]
    assert grade(run(rotation, context_of(ref(made, pods[0])), killed=True)) == "A"
    assert (taken(scene, stolen), taken(scene, kept)) == (False, True)
    assert account(scene)["metadata"]["uid"] == before


@pytest.mark.claim(
    "an answer lost after the account was deleted or made leads to exactly one new account", on=("vault",)
)
@pytest.mark.parametrize(
    ("method", "fault"),
    [("DELETE", "timeout_after"), ("DELETE", "503_after"), ("POST", "timeout_after"), ("POST", "503_after")],
)
def test_a_lost_answer_is_looked_after(scene: Scene, vault: OpenBaoPart, method: str, fault: Any) -> None:
    made = target(scene)
    rotation, faulty = handler(scene, vault, made)
    context = context_of(ref(made))
    old = account(scene)["metadata"]["uid"]
    steps = rotation.steps(context.target)
    run(rotation, context, steps[:2])
    part = "/serviceaccounts?" if method == "POST" else "/serviceaccounts/web"
    faulty.next(method, part, fault)
    run(rotation, context, steps[2:4])
    posts = [path for verb, path in faulty.seen if verb == "POST" and path.endswith("/serviceaccounts")]
    assert len(posts) == 1
    assert account(scene)["metadata"]["uid"] == context.state["new_uid"] != old


@pytest.mark.claim("two workers at once remake the account once", on=("vault",))
def test_a_second_worker_remakes_nothing(scene: Scene, vault: OpenBaoPart) -> None:
    made = target(scene)
    first, _ = handler(scene, vault, made)
    second, _ = handler(scene, vault, made)
    contexts = [context_of(ref(made)), context_of(ref(made))]
    steps = first.steps(contexts[0].target)
    for rotation, context in zip((first, second), contexts, strict=True):
        run(rotation, context, steps[:2])
    run(first, contexts[0], steps[2:4])
    run(second, contexts[1], steps[2:4])
    assert contexts[0].state["new_uid"] == contexts[1].state["new_uid"]


@pytest.mark.claim(
    "without one of its rights at the API server or the vault nothing is touched, and it is named",
    on=("vault",),
)
def test_one_right_less_is_named(scene: Scene, vault: OpenBaoPart) -> None:
    made = target(scene)
    whole = KubernetesServiceAccount({}, tools_for(settings_for(vault, made))).rights(made)
    old = account(scene)["metadata"]["uid"]
    for gone in whole:
        rotation, _ = handler(scene, vault, made, less=gone)
        with pytest.raises(StepFailedError, match="the API server lets us not") as error:
            run(rotation, context_of(ref(made)))
        assert str(gone) in error.value.reason
    for line in ("/encrypt/", "/decrypt/"):
        rotation, _ = handler(scene, vault, made, without=line)
        with pytest.raises(StepFailedError, match=f"lacks update on transit{line}"):
            run(rotation, context_of(ref(made)))
    assert account(scene)["metadata"]["uid"] == old


@pytest.mark.claim(
    "pods that nothing would make again, too many pods, and a pod of another account are refused",
    on=("vault",),
)
def test_a_harmful_restart_is_refused(scene: Scene, vault: OpenBaoPart) -> None:
    scene.deployment("web", {"app": "web"}, nodeName="")
    made = target(scene, max_pods=1)
    with pytest.raises(StepFailedError, match="2 pods run under it, 1 may be restarted at once"):
        run(handler(scene, vault, made)[0], context_of(ref(made)))
    scene.pod("bare", {"app": "x"}, nodeName="")
    made = target(scene)
    with pytest.raises(StepFailedError, match="nothing would make these pods again: bare"):
        run(handler(scene, vault, made)[0], context_of(ref(made)))
    scene.pod("foreign", {"app": "y"}, serviceAccountName="db", nodeName="")
    with pytest.raises(StepFailedError, match="no such pod runs under this account"):
        run(handler(scene, vault, made)[0], context_of(ref(made, "foreign")))


@pytest.mark.claim("our own token is read again from its file for each call to the API server", on=("vault",))
def test_a_new_token_in_the_file_is_taken(scene: Scene, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("not-a-token\n")
    client = client_of(
        Cluster(address=scene.server.url, token=Secret(file=file), ca_file=scene.server.ca_file)
    )
    right = Permission("list", "", "pods", scene.space)
    with pytest.raises(Exception, match="401 Unauthorized") as error:
        client.missing([right])
    assert "not-a-token" not in repr(error.value)
    file.write_text(scene.caller([right]) + "\n")
    assert client.missing([right]) == []
    client.close()
