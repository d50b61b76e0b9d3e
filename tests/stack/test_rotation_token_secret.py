"""A long-lived token in a Secret dies on the real API server; the token controller is played by the test."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.escrow import settings_for, tools_for
from cluster_response.faulty import Faulty
from cluster_response.running import context_of, run
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart
from parts.kubernetes_keys import need_openssl

from connectors.kubernetes.cluster import Cluster
from connectors.kubernetes.permission import Permission
from connectors.rotation.kubernetes_token_secret import ACCOUNT, TYPE, KubernetesTokenSecret
from connectors.rotation.kubernetes_token_secret import KubernetesTokenSecretTarget as Target
from daemon.demo.parts.openbao import OpenBaoPart
from playbooks.ports import StepFailedError
from playbooks.proof import grade
from playbooks.target import TargetRef

DOUBLE = "token controller: signs with the API server's key, as kube-controller-manager does"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path_factory.mktemp("vault"))
    part.start()
    yield part
    part.stop()


@pytest.fixture
def scene(kubernetes: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(kubernetes, "legacy")
    metadata = {"name": "web-token", "labels": {"team": "shop"}, "annotations": {ACCOUNT: "web"}}
    body = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata}
    kubernetes.made(f"/api/v1/namespaces/{made.space}/secrets", body)
    yield made
    made.close()


def filled(scene: Scene, serial: str) -> str:
    """Write a signed token into the Secret, as the token controller does; return it."""
    account = scene.server.call("GET", f"/api/v1/namespaces/{scene.space}/serviceaccounts/web").json()
    prefix = "kubernetes.io/serviceaccount"
    uid = account["metadata"]["uid"]
    claims = {
        "iss": "kubernetes/serviceaccount",
        f"{prefix}/namespace": scene.space,
        f"{prefix}/secret.name": "web-token",
        f"{prefix}/service-account.name": "web",
        f"{prefix}/service-account.uid": uid,
        "sub": f"system:serviceaccount:{scene.space}:web",
        "serial": serial,
    }
    head = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    key = scene.server.ca_file.parent.parent / "sa.key"
    command = (need_openssl(), "dgst", "-sha256", "-sign", str(key))
    signed = subprocess.run(command, input=head.encode(), capture_output=True, check=True, timeout=30)
    token = f"{head}.{_encoded(signed.stdout)}"
    notes = {"annotations": {"kubernetes.io/service-account.uid": uid}}
    data = {"token": base64.b64encode(token.encode()).decode()}
    path = f"/api/v1/namespaces/{scene.space}/secrets/web-token"
    assert scene.server.call("PATCH", path, {"metadata": notes, "data": data}).status_code == 200
    return token


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def taken(scene: Scene, token: str) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    return (
        scene.server.call("POST", path, {"spec": {"namespace": scene.space}}, token=token).status_code == 201
    )


def secret(scene: Scene) -> dict[str, Any]:
    return scene.server.call("GET", f"/api/v1/namespaces/{scene.space}/secrets/web-token").json()


def built(
    scene: Scene, vault: OpenBaoPart, less: Permission | None = None
) -> tuple[KubernetesTokenSecret, TargetRef, Faulty]:
    made = Target(mount=scene.space, name="web-token", cluster=Cluster(address=scene.server.url))
    tools = tools_for(settings_for(vault, made))
    rights = KubernetesTokenSecret({}, tools).rights(made)
    client, faulty = scene.client(scene.caller([one for one in rights if one != less]))
    handler = KubernetesTokenSecret({made.key: made}, tools, connect=lambda _cluster: client)
    return handler, TargetRef(made.kind, made.mount, made.name, "internal", "shop"), faulty


@pytest.mark.claim(
    "a long-lived token in a Secret is replaced, and its very value is refused: grade B",
    double=DOUBLE,
    on=("vault",),
)
def test_the_secrets_token_dies(scene: Scene, vault: OpenBaoPart) -> None:
    old = filled(scene, "1")
    handler, ref, faulty = built(scene, vault)
    context = context_of(ref)
    assert taken(scene, old)
    assert "web into it" in handler.dry_run(context)[1]
    faulty.next("DELETE", "/secrets/web-token", "503_after")
    written: list[str] = []
    fill = {"rotate": lambda: written.append(filled(scene, "2"))}
    checks = run(handler, context, after=lambda name: fill.get(name, lambda: None)(), killed=True)
    assert grade(checks, without=["sessions_gone"]) == "B"
    assert not taken(scene, old) and taken(scene, written[0])
    assert secret(scene)["metadata"]["labels"]["team"] == "shop"
    assert old not in str(context.state) and written[0] not in str(context.state)


@pytest.mark.claim(
    "without one of its rights the Secret stays, and the right is named", double=DOUBLE, on=("vault",)
)
def test_one_right_less_is_named(scene: Scene, vault: OpenBaoPart) -> None:
    filled(scene, "1")
    before = secret(scene)["metadata"]["uid"]
    handler, ref, _ = built(scene, vault)
    for gone in handler.rights(Target(mount=scene.space, name="web-token")):
        less, _, _ = built(scene, vault, less=gone)
        with pytest.raises(StepFailedError, match="lets us not") as error:
            run(less, context_of(ref))
        assert str(gone) in error.value.reason
    assert secret(scene)["metadata"]["uid"] == before


@pytest.mark.claim("a Secret of another type is refused", on=("vault",))
def test_another_secret_is_refused(scene: Scene, vault: OpenBaoPart) -> None:
    path = f"/api/v1/namespaces/{scene.space}/secrets"
    scene.server.call("DELETE", f"{path}/web-token")
    scene.server.made(path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web-token"}})
    handler, ref, _ = built(scene, vault)
    with pytest.raises(StepFailedError, match="none of a service account's token"):
        run(handler, context_of(ref))
