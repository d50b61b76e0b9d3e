"""A Kubernetes Secret synced from the vault: the real API server says who still has the old value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart
from parts.kubernetes_objects import secret

from connectors.consumers.secret_mounts import mounts_seen
from connectors.kubernetes.cluster import Cluster
from connectors.rotation.kv_consumers import SyncedSecret
from connectors.vault.secret_text import SecretText


@pytest.fixture
def scene(kubernetes: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(kubernetes, "synced")
    yield made
    made.close()


def container(**parts: Any) -> list[dict[str, Any]]:
    return [{"name": "main", "image": "r.example/a:1", **parts}]


@pytest.mark.claim(
    "pods with a Secret's old value in their environment are named, those that mount it are not"
)
def test_who_has_the_old_value_is_named(scene: Scene) -> None:
    secret(scene.server, scene.space, "maps", {"api-key": "old"})
    reference = {"secretKeyRef": {"name": "maps", "key": "api-key"}}
    scene.pod("by-env", {}, containers=container(env=[{"name": "K", "valueFrom": reference}]))
    scene.pod("by-env-from", {}, containers=container(envFrom=[{"secretRef": {"name": "maps"}}]))
    mount = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    scene.pod("by-volume", {}, containers=mount, volumes=[{"name": "v", "secret": {"secretName": "maps"}}])
    scene.pod("stranger", {})
    synced = SyncedSecret(
        namespace=scene.space, name="maps", key="api-key", cluster=Cluster(address=scene.server.url)
    )
    client, _ = scene.client(scene.caller(synced.rights()))
    new, rotated_at = SecretText("new"), time.time() + 1
    place = f"Secret {scene.space}/maps"

    def on_old(since: float) -> list[str]:
        seen = mounts_seen(client, synced, new, since, time.time())
        return sorted(one.name for one in seen if one.side == "old")

    workloads = [f"workload {scene.space}/{name}" for name in ("by-env", "by-env-from", "by-volume")]
    assert on_old(rotated_at) == [place, *workloads], "nothing was synced yet"
    path = f"/api/v1/namespaces/{scene.space}/secrets/maps"
    scene.server.call("PATCH", path, {"stringData": {"api-key": "new"}})
    assert on_old(rotated_at) == workloads[:2]
    assert on_old(rotated_at - 3600) == []
