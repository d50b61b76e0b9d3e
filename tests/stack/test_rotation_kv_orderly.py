"""A provider's key in orderly mode: pods on the real API server keep the old key alive until they moved."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.escrow import settings_for, tools_for
from cluster_response.key_provider import ADMIN, KeyProvider
from cluster_response.running import context_of, named, run
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart
from parts.kubernetes_objects import secret
from pydantic import SecretStr

from config.consumers import Consumers
from config.secret import Secret
from connectors.kubernetes.cluster import Cluster
from connectors.rotation.kv_consumers import SyncedSecret
from connectors.rotation.kv_http_key import KvHttpKey
from connectors.rotation.kv_http_key import KvHttpKeyTarget as Target
from daemon.demo.parts.openbao import OpenBaoPart
from playbooks.ports import ConsumersKnown, StepContext, StepFailedError, StepResult
from playbooks.proof import grade
from playbooks.target import TargetRef

DOUBLE = "the provider: a small JSON API of keys"
REFERENCE = {"secretKeyRef": {"name": "maps", "key": "secret"}}
CONTAINERS = [{"name": "main", "image": "r.example/a:1", "env": [{"name": "K", "valueFrom": REFERENCE}]}]


@pytest.fixture
def vault(tmp_path: Any) -> Iterator[OpenBaoPart]:
    part = OpenBaoPart(tmp_path / "vault")
    part.start()
    part.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    yield part
    part.stop()


@pytest.fixture
def provider() -> Iterator[KeyProvider]:
    made = KeyProvider(honours_intent=True)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def handler(
    request: pytest.FixtureRequest, vault: OpenBaoPart, provider: KeyProvider, cluster: Scene
) -> Iterator[KvHttpKey]:
    with handler_of(vault, provider, cluster, **getattr(request, "param", {})) as made:
        yield made


@pytest.fixture
def cluster(kubernetes: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(kubernetes, "kv-orderly")
    yield made
    made.close()


@contextlib.contextmanager
def handler_of(
    vault: OpenBaoPart, provider: KeyProvider, cluster: Scene, **changes: Any
) -> Iterator[KvHttpKey]:
    """Yield the handler of one key that the Secret `maps` of the cluster has a copy of."""
    name = f"maps-{secrets.token_hex(4)}"
    old = dict(provider.create(name))
    vault.call("POST", f"secret/data/{name}", {"data": {"id": old["id"], "secret": old["secret"]}})
    secret(cluster.server, cluster.space, "maps", {"secret": old["secret"]})
    blank = SyncedSecret(namespace=cluster.space, name="maps", key="secret")
    token = Secret(value=SecretStr(cluster.caller(blank.rights())))
    reached = Cluster(address=cluster.server.url, token=token, ca_file=cluster.server.ca_file)
    target = Target(
        name=name,
        keys_url=f"{provider.url}/keys",
        probe_url=f"{provider.url}/me",
        bearer=Secret(value=SecretStr(ADMIN)),
        sessions="none",
        quiet_s=0,
        synced=blank.model_copy(update={"cluster": reached}),
        **changes,
    )
    settings = settings_for(vault, target)
    response = settings.response.model_copy(update={"consumers": Consumers(window_s=0.5)})
    tools = tools_for(settings.model_copy(update={"response": response}))
    handler = KvHttpKey({target.key: target}, tools)
    yield handler
    handler.watch.clusters.close()


def look(handler: KvHttpKey, context: StepContext) -> StepResult | StepFailedError:
    """Do the step as the worker does: what a failed attempt left is given to the next."""
    try:
        return handler.call(named(handler, context.target, "consumers"), context)
    except StepFailedError as error:
        context.kept = dict(error.kept or context.kept)  # type: ignore[arg-type]
        return error


@pytest.mark.claim(
    "in orderly mode a KV key lives until its Secret is synced and the pods that had it in their environment "
    "are new",
    double=DOUBLE,
    on=("vault", "kubernetes"),
)
def test_the_old_key_lives_until_the_pods_have_the_new_one(
    vault: OpenBaoPart, provider: KeyProvider, cluster: Scene, handler: KvHttpKey
) -> None:
    (target,) = handler.targets.values()
    labels = {"app": "maps", "pod-template-hash": "7d9f"}
    pods = cluster.deployment("maps-api", labels, containers=CONTAINERS)
    ref = TargetRef("kv_http_key", "secret", target.name, "internal", "shop")
    context = context_of(ref)
    context.mode = "orderly"
    assert isinstance(handler, ConsumersKnown)
    workload, place = f"workload {cluster.space}/maps-api", f"Secret {cluster.space}/maps"
    assert set(handler.consumers(context).convergence.consumers) == {place, workload}
    checks = run(handler, context, handler.steps(ref)[:4])

    late = look(handler, context)
    assert isinstance(late, StepFailedError) and late.unavailable == "consumers" and late.retry
    assert f"{place}: on the old one" in late.reason and f"{workload}: on the old one" in late.reason

    data: Any = vault.call("GET", f"secret/data/{target.name}")["data"]["data"]
    space = f"/api/v1/namespaces/{cluster.space}"
    cluster.server.call("PATCH", f"{space}/secrets/maps", {"stringData": {"secret": data["secret"]}})
    late = look(handler, context)
    assert isinstance(late, StepFailedError)
    assert place not in late.reason and f"{workload}: on the old one (mount at pod {pods[0]}" in late.reason
    assert all(key["active"] for key in provider.keys.values()), "nothing was retired"

    for pod in pods:
        cluster.server.call("DELETE", f"{space}/pods/{pod}?gracePeriodSeconds=0")
    time.sleep(1.1)
    cluster.pod("maps-api-new", {}, containers=CONTAINERS)
    gone = look(handler, context)
    assert isinstance(gone, StepFailedError) and f"{workload}: not seen with the new one" in gone.reason
    cluster.server.call("DELETE", f"{space}/pods/maps-api-new?gracePeriodSeconds=0")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "maps-api-7d9f", "controller": True}
    uid = cluster.objects("replicasets", "apps")[0]["metadata"]["uid"]
    cluster.pod("maps-api-7d9f-c", labels, owners=[{**owner, "uid": uid}], containers=CONTAINERS)
    look(handler, context)
    time.sleep(0.6)
    done = look(handler, context)
    assert isinstance(done, StepResult), done
    assert [(check.name, check.passed) for check in done.checks] == [("consumers", True)]
    context.state.update(done.state)  # type: ignore[arg-type]
    rest = run(handler, context, handler.steps(ref)[5:])
    assert grade([*checks, *done.checks, *rest]) == "A"


@pytest.mark.claim(
    "when the time for a KV key's consumers is over a person decides, and both keys work",
    double=DOUBLE,
    on=("vault", "kubernetes"),
)
@pytest.mark.parametrize("handler", [{"consumers_wait_s": 0.1}], indirect=True, ids=["short"])
def test_the_time_over_is_a_persons_and_people_may_cut_off_who_is_left(
    provider: KeyProvider, cluster: Scene, handler: KvHttpKey
) -> None:
    (target,) = handler.targets.values()
    context = context_of(TargetRef("kv_http_key", "secret", target.name, "internal", "shop"))
    context.mode = "orderly"
    checks = run(handler, context, handler.steps(context.target)[:4])
    time.sleep(0.2)
    over = look(handler, context)
    assert isinstance(over, StepFailedError) and over.person and not over.retry
    assert "the old key works, and the new one too" in over.reason
    assert all(key["active"] for key in provider.keys.values())

    context.forced = frozenset({f"Secret {cluster.space}/maps"})
    done = look(handler, context)
    assert isinstance(done, StepResult) and not done.checks and "cut off, as people agreed" in done.note
    assert grade([*checks, *run(handler, context, handler.steps(context.target)[5:])]) == "A"
