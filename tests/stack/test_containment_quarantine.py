"""Quarantine by NetworkPolicy on the real API server: exact, once, marked, released."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_response.running import ACTION, context_of, named, run
from cluster_response.scene import Scene
from parts.kubernetes import KubernetesPart

from connectors.containment.network_quarantine import NetworkQuarantine
from connectors.containment.standing import expired, standing
from connectors.containment.tools import Tools
from connectors.kubernetes.error import KubernetesConflictError
from connectors.kubernetes.kinds import NETWORK_POLICY
from connectors.kubernetes.protected import Protected
from playbooks.containment import containment_grade
from playbooks.ports import StepFailedError
from playbooks.target import TargetRef

WEB = {"app": "web"}
OTHER = "0190c1a2-0000-8000-8000-000000000002"


@pytest.fixture
def scene(kubernetes: KubernetesPart) -> Iterator[Scene]:
    made = Scene.made(kubernetes, "quarantine")
    yield made
    made.close()


def target(scene: Scene, name: str = "deployment/web") -> TargetRef:
    return TargetRef("network_quarantine", scene.space, name, "internal", "platform")


def verb(scene: Scene, ref: TargetRef, **tools: Any) -> tuple[NetworkQuarantine, Any]:
    """Return the verb with a token that has exactly the declared rights, and its transport."""
    blank = NetworkQuarantine(Tools(kubernetes=None))  # type: ignore[arg-type]
    client, faulty = scene.client(scene.caller(blank.rights(ref)))
    return NetworkQuarantine(Tools(kubernetes=client, **tools)), faulty


@pytest.mark.claim("a quarantine selects exactly the workload's pods, allows nothing, and is told as grade C")
def test_a_workload_is_quarantined_and_released(scene: Scene) -> None:
    pods = scene.deployment("web", WEB)
    scene.deployment("db", {"app": "db"})
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    lines = made.dry_run(context)
    assert scene.objects("networkpolicies") == []
    assert f"selects 2 pod(s) of {scene.space}/deployment/web: {', '.join(pods)}" in lines
    checks = run(made, context)
    assert containment_grade(checks) == "C"
    (found,) = scene.objects("networkpolicies")
    assert found["spec"] == {"podSelector": {"matchLabels": WEB}, "policyTypes": ["Ingress", "Egress"]}
    assert found["metadata"]["labels"]["davylamp.io/action"] == ACTION
    assert context.state["uid"] == found["metadata"]["uid"]
    run(made, context, made.undo_steps(ref))
    assert scene.objects("networkpolicies") == []
    run(made, context, made.undo_steps(ref))


@pytest.mark.claim("a second worker, and a second action, make no second quarantine")
def test_a_second_worker_makes_no_second_object(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    first, _ = verb(scene, ref)
    second, _ = verb(scene, ref)
    contexts = [context_of(ref), context_of(ref)]
    before = [step for step in first.steps(ref) if step.name in ("rights", "plan", "dry_run")]
    for made, context in zip((first, second), contexts, strict=True):
        run(made, context, before)
    contexts[1].state["expires_at"] = contexts[0].state["expires_at"]
    act = named(first, ref, "contain")
    first.call(act, contexts[0])
    with pytest.raises(StepFailedError, match="409 AlreadyExists") as late:
        second.call(act, contexts[1])
    assert late.value.retry
    run(second, contexts[1], [act, named(second, ref, "stands")])
    assert len(scene.objects("networkpolicies")) == 1
    with pytest.raises(StepFailedError, match=f"contained already by action {ACTION} until"):
        run(second, context_of(ref, OTHER))


@pytest.mark.claim(
    "an answer that is lost after the object was made leads to no second one, nor to a failure"
)
@pytest.mark.parametrize("fault", ["timeout_after", "503_after", "torn", "timeout_before", "429"])
def test_a_lost_answer_is_looked_after(scene: Scene, fault: Any) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    made, faulty = verb(scene, ref)
    context = context_of(ref)
    run(made, context, made.steps(ref)[:3])
    faulty.next("POST", "networkpolicies", fault)
    rest = made.steps(ref)[3:]
    if fault == "torn":
        with pytest.raises(StepFailedError):
            run(made, context, rest)
    assert containment_grade(run(made, context, rest)) == "C"
    assert len(scene.objects("networkpolicies")) == 1
    faulty.next("DELETE", "networkpolicies", "timeout_after" if fault == "torn" else fault)
    run(made, context, made.undo_steps(ref))
    assert scene.objects("networkpolicies") == []


@pytest.mark.claim("a selector that would reach another workload's pods, or every pod, is refused by name")
def test_only_an_exact_selector_is_used(scene: Scene) -> None:
    scene.deployment("web", {**WEB, "tier": "front"}, selector=WEB)
    scene.pod("stranger", WEB)
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    run(made, context)
    (found,) = scene.objects("networkpolicies")
    assert found["spec"]["podSelector"] == {"matchLabels": {**WEB, "tier": "front"}}
    run(made, context, made.undo_steps(ref))
    scene.pod("look-alike", {**WEB, "tier": "front"})
    with pytest.raises(StepFailedError, match="reaches other pods too: look-alike"):
        run(made, context_of(ref))
    scene.pod("bare", {})
    bare = target(scene, "pod/bare")
    with pytest.raises(StepFailedError, match="would reach every pod"):
        run(verb(scene, bare)[0], context_of(bare))
    assert scene.objects("networkpolicies") == []


@pytest.mark.claim("a policy that lets traffic through beside the quarantine is named before and after")
def test_what_undermines_a_quarantine_is_named(scene: Scene) -> None:
    scene.deployment("web", WEB)
    scene.policy("others", {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{}]})
    scene.policy("dark", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    ref = target(scene)
    made, _ = verb(scene, ref)
    assert not [line for line in made.dry_run(context_of(ref)) if "still allows" in line]
    scene.policy("open", {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
                          "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]})  # fmt: skip
    told = "NetworkPolicy 'open' still allows egress"
    assert told in made.dry_run(context_of(ref))
    with pytest.raises(StepFailedError, match=told) as error:
        run(made, context_of(ref))
    assert containment_grade(error.value.checks) is None
    assert len(scene.objects("networkpolicies")) == 4


@pytest.mark.claim("pods on the node's network are refused: no NetworkPolicy binds them")
def test_the_nodes_network_is_refused(scene: Scene) -> None:
    scene.deployment("web", WEB, hostNetwork=True)
    with pytest.raises(StepFailedError, match="use the node's network"):
        run(verb(scene, target(scene))[0], context_of(target(scene)))


@pytest.mark.claim("without one of the declared rights a quarantine refuses by its name and sends nothing")
def test_one_right_less_is_named(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    whole = NetworkQuarantine(Tools(kubernetes=None)).rights(ref)  # type: ignore[arg-type]
    assert all(one.namespace == scene.space for one in whole)
    for gone in whole:
        client, faulty = scene.client(scene.caller([one for one in whole if one != gone]))
        made = NetworkQuarantine(Tools(kubernetes=client))
        with pytest.raises(StepFailedError) as error:
            run(made, context_of(ref))
        assert error.value.reason == f"the API server lets us not: {gone}"
        assert {path for _method, path in faulty.seen} == {
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        }


@pytest.mark.claim(
    "what is protected is refused before the API server is asked, and so are names that are none"
)
@pytest.mark.parametrize(
    ("namespace", "name", "reason"),
    [
        ("kube-system", "deployment/coredns", "the namespace kube-system is protected"),
        ("istio-system", "deployment/istiod", "the namespace istio-system is protected"),
        ("vault", "statefulset/vault", "the workload vault/statefulset/vault is protected"),
        ("secops", "deployment/siem", "the namespace secops is protected"),
        ("shop", "deployment/../../secrets/x", "not the name of an object"),
        ("shop/../kube-system", "deployment/web", "not the name of a namespace"),
        ("shop", "secret/web", "not a workload"),
        ("shop", "deployment/web?dryRun=All", "not the name of an object"),
        ("shop", "deployment/" + "a" * 10_000, "not the name of an object"),
        ("shop", "deployment/wеb", r"'w\\u0435b'"),
        ("shop", "deployment/web\n", "not the name of an object"),
    ],
)
def test_protected_and_nameless_targets_are_refused(
    scene: Scene, namespace: str, name: str, reason: str
) -> None:
    client, faulty = scene.client("nobody")
    deny = Protected(namespaces=["secops"], workloads=["vault/statefulset/vault"])
    made = NetworkQuarantine(Tools(kubernetes=client, protected=deny))
    ref = TargetRef("network_quarantine", namespace, name, "unknown", "?")
    with pytest.raises(StepFailedError, match=reason) as error:
        run(made, context_of(ref))
    assert not error.value.retry
    assert len(error.value.reason) < 200
    assert faulty.seen == []


@pytest.mark.claim("a release deletes only the object with our label and uid, whatever has its name")
def test_only_our_own_object_is_deleted(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    run(made, context)
    (found,) = scene.objects("networkpolicies")
    path = f"/apis/networking.k8s.io/v1/namespaces/{scene.space}/networkpolicies"
    name = found["metadata"]["name"]
    scene.server.call("DELETE", f"{path}/{name}")
    kept = {key: found["metadata"][key] for key in ("name", "labels", "annotations")}
    again = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": kept,
        "spec": found["spec"],
    }
    scene.server.made(path, again)
    with pytest.raises(StepFailedError, match="not deleted") as error:
        run(made, context, made.undo_steps(ref))
    assert not error.value.retry
    foreign = {**again, "metadata": {"name": name}}
    scene.server.call("DELETE", f"{path}/{name}")
    scene.server.made(path, foreign)
    with pytest.raises(StepFailedError, match="an object of somebody else has the name"):
        run(made, context, made.undo_steps(ref))
    assert len(scene.objects("networkpolicies")) == 1
    client, _ = scene.client(scene.caller(made.rights(ref)))
    with pytest.raises(KubernetesConflictError, match="409 Conflict"):
        client.delete(NETWORK_POLICY, scene.space, name, uid=str(context.state["uid"]))
    assert len(scene.objects("networkpolicies")) == 1


@pytest.mark.claim("an object of ours that somebody opened is told as changed, not as standing")
def test_a_changed_object_is_no_proof(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    run(made, context, made.steps(ref)[:4])
    (found,) = scene.objects("networkpolicies")
    path = f"/apis/networking.k8s.io/v1/namespaces/{scene.space}/networkpolicies/{found['metadata']['name']}"
    assert scene.server.call("PATCH", path, {"spec": {"egress": [{}]}}).status_code == 200
    with pytest.raises(StepFailedError, match="changed by somebody else"):
        run(made, context, made.steps(ref)[4:])


@pytest.mark.claim("what stands beyond its time is found on the API server and released without our database")
def test_an_expired_quarantine_is_found_and_released(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    made, _ = verb(scene, ref, duration_s=60.0)
    context = context_of(ref)
    run(made, context)
    client, _ = scene.client(scene.caller(made.rights(ref)))
    scene.policy("ours-not", {"podSelector": {}})
    (found,) = standing(client, NETWORK_POLICY, scene.space)
    assert (found.target.key, found.uid) == (ref.key, context.state["uid"])
    now = context.now()
    assert expired([found], now) == []
    (late,) = expired([found], now + 61)
    release = context_of(late.target, OTHER)
    release.state.update(late.state)
    run(made, release, made.undo_steps(late.target))
    assert [one["metadata"]["name"] for one in scene.objects("networkpolicies")] == ["ours-not"]


@pytest.mark.claim("a worker killed after every call leaves one quarantine, and one release of it")
def test_a_worker_killed_after_every_call(scene: Scene) -> None:
    scene.deployment("web", WEB)
    ref = target(scene)
    made, _ = verb(scene, ref)
    context = context_of(ref)
    assert containment_grade(run(made, context, killed=True)) == "C"
    assert len(scene.objects("networkpolicies")) == 1
    run(made, context, made.undo_steps(ref), killed=True)
    assert scene.objects("networkpolicies") == []
