"""Kubernetes audit (audit.k8s.io/v1) on an ordinary week: controllers, kubelets, Flux, KEDA, people, CI.

Shapes follow a real API server's log; secrets, tokens and leases are logged at level Metadata, as the usual
policy asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

import orjson

from daemon.demo.traffic.kubernetes_event import Call, account, audit_event, node_user, person_user
from daemon.demo.traffic.platform import Platform, Pod, Workload, pod_name
from daemon.demo.traffic.record import KUBERNETES, Body, Record, moments, new_uuid, record, rfc3339

_LIST_OF: Final = 8
_MANAGER: Final = "kube-controller-manager/v1.35.4 (linux/amd64)"


def pod_status(workload: Workload, pod: Pod, at: float) -> Body:
    """Return the kubelet's patch that announces the address of `pod`."""
    started = rfc3339(at - 2, 0)
    status: Body = {
        "phase": "Running",
        "podIP": pod.address,
        "podIPs": [{"ip": pod.address}],
        "hostIP": pod.node.address,
        "startTime": started,
        "containerStatuses": [
            {
                "name": "app",
                "image": workload.image,
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": started}},
            }
        ],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
    }
    metadata: Body = {
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": pod.uid,
        "labels": {"app": workload.name},
    }
    spec: Body = {
        "serviceAccountName": workload.service_account,
        "nodeName": pod.node.name,
        "containers": [{"name": "app", "image": workload.image}],
    }
    return {
        "requestObject": {"metadata": {"uid": pod.uid}, "status": status},
        "responseObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        },
    }


def announce(rng: Random, workload: Workload, pod: Pod, at: float) -> Body:
    """Return the audit event of a kubelet that says the address of a pod."""
    call = Call("patch", "pods", pod.namespace, pod.name, subresource="status")
    user = node_user(pod.node)
    body = audit_event(
        rng, at, user, call, pod.node.address, "kubelet/v1.35.4 (linux/amd64) kubernetes/9b6f1c2"
    )
    return {**body, "level": "RequestResponse", **pod_status(workload, pod, at)}


def records(platform: Platform, rng: Random, begin: float, end: float, count: int) -> Iterator[Record]:
    """Yield `count` records between `begin` and `end` in order of time; one in forty is an `EventList`."""
    pods = [(workload, pod) for workload in platform.workloads for pod in workload.pods]
    times = moments(rng, begin, end, count - len(pods))
    for index, (workload, pod) in enumerate(pods):
        at = begin + index * 0.25
        yield record(KUBERNETES, at, announce(rng, workload, pod, at))
    first = begin + len(pods) * 0.25
    for index, at in enumerate(max(at, first) for at in times):
        if index % 40 == 0:
            items = [_ordinary(platform, rng, at - 0.2 * k) for k in range(_LIST_OF)]
            batch = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
            yield Record(at, KUBERNETES, orjson.dumps(batch))
        elif index % 55 == 0:
            lines = [orjson.dumps(_ordinary(platform, rng, at - 0.2 * k)) for k in range(3)]
            yield Record(at, KUBERNETES, b"\n".join(lines) + b"\n")
        else:
            yield record(KUBERNETES, at, _ordinary(platform, rng, at))


def _ordinary(platform: Platform, rng: Random, at: float) -> Body:
    dice = rng.random()
    if dice < 0.22:
        return _lease(platform, rng, at)
    if dice < 0.40:
        return _kubelet(platform, rng, at)
    if dice < 0.60:
        return _controllers(platform, rng, at)
    if dice < 0.75:
        return _flux(platform, rng, at)
    if dice < 0.86:
        return _keda(platform, rng, at)
    if dice < 0.92:
        return _prometheus(platform, rng, at)
    if dice < 0.96:
        return _ci(platform, rng, at)
    return _people(platform, rng, at)


def _lease(platform: Platform, rng: Random, at: float) -> Body:
    key = rng.choice(
        ("source-controller.flux-system", "kustomize-controller.flux-system", "keda-operator.keda")
    )
    workload = platform.workload(key)
    verb, name = rng.choice(("get", "update")), f"{workload.name}-leader-election"
    call = Call(verb, "leases", workload.namespace, name, group="coordination.k8s.io")
    pod = workload.pods[0]
    return audit_event(rng, at, account(workload, pod, rng), call, pod.address, f"{workload.name}/v1.6.1")


def _kubelet(platform: Platform, rng: Random, at: float) -> Body:
    workload = rng.choice(platform.workloads)
    pod = rng.choice(workload.pods)
    agent = "kubelet/v1.35.4 (linux/amd64) kubernetes/9b6f1c2"
    dice = rng.random()
    if dice < 0.4:
        return announce(rng, workload, pod, at)
    if dice < 0.7:
        call = Call("get", "pods", pod.namespace, pod.name)
        return audit_event(rng, at, node_user(pod.node), call, pod.node.address, agent)
    call = Call(
        "create", "serviceaccounts", pod.namespace, workload.service_account, subresource="token", code=201
    )
    return audit_event(rng, at, node_user(pod.node), call, pod.node.address, agent)


def _controllers(platform: Platform, rng: Random, at: float) -> Body:
    workload = rng.choice(platform.workloads)
    name, verb, resource, group, sub = rng.choice(
        (
            ("deployment-controller", "update", "deployments", "apps", "status"),
            ("replicaset-controller", "update", "replicasets", "apps", "status"),
            ("endpointslice-controller", "update", "endpointslices", "discovery.k8s.io", None),
            ("horizontal-pod-autoscaler", "get", "deployments", "apps", "scale"),
            ("generic-garbage-collector", "get", "replicasets", "apps", None),
        )
    )
    user: Body = {
        "username": f"system:serviceaccount:kube-system:{name}",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
    }
    call = Call(verb, resource, workload.namespace, workload.name, group=group, subresource=sub)
    agent = f"{_MANAGER} kubernetes/9b6f1c2/{user['username']}"
    return audit_event(rng, at, user, call, "10.20.0.10", agent)


def _flux(platform: Platform, rng: Random, at: float) -> Body:
    source = platform.workload("source-controller.flux-system")
    kustomize = platform.workload("kustomize-controller.flux-system")
    dice = rng.random()
    if dice < 0.25:
        group = "source.toolkit.fluxcd.io"
        call = Call("patch", "gitrepositories", "flux-system", "terraminer-gitops", group, "status")
        return _by(rng, at, source, call)
    if dice < 0.35:
        return _by(rng, at, source, Call("get", "secrets", "flux-system", "flux-system"))
    if dice < 0.40:
        call = Call("patch", "peerauthentications", "terraminer", "default", group="security.istio.io")
        spec: Body = {"spec": {"mtls": {"mode": "STRICT"}}}
        applied: Body = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", **spec}
        body = _by(rng, at, kustomize, call)
        return {**body, "level": "RequestResponse", "requestObject": applied, "responseObject": applied}
    workload = rng.choice(platform.workloads)
    return _by(
        rng, at, kustomize, Call("patch", "deployments", workload.namespace, workload.name, group="apps")
    )


def _keda(platform: Platform, rng: Random, at: float) -> Body:
    keda = platform.workload("keda-operator.keda")
    dice = rng.random()
    if dice < 0.6:
        verb, sub = rng.choice((("get", None), ("patch", "status")))
        call = Call(
            verb, "scaledobjects", "terraminer", "spark-worker-scaler", group="keda.sh", subresource=sub
        )
        return _by(rng, at, keda, call)
    if dice < 0.85:
        call = Call("update", "deployments", "terraminer", "spark-worker", group="apps", subresource="scale")
        body = _by(rng, at, keda, call)
        scale: Body = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "spec": {"replicas": rng.randint(2, 20)},
        }
        return {**body, "level": "RequestResponse", "requestObject": scale, "responseObject": scale}
    spark = platform.workload("spark-worker.terraminer")
    user: Body = {
        "username": "system:serviceaccount:kube-system:replicaset-controller",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
    }
    name = pod_name(rng, spark.name)
    call = Call("create", "pods", "terraminer", name, code=201)
    created: Body = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "terraminer", "uid": new_uuid(rng)},
        "spec": {
            "serviceAccountName": spark.service_account,
            "containers": [{"name": "app", "image": spark.image, "securityContext": {"runAsNonRoot": True}}],
        },
    }
    body = audit_event(rng, at, user, call, "10.20.0.10", _MANAGER)
    return {**body, "level": "RequestResponse", "requestObject": created, "responseObject": created}


def _prometheus(platform: Platform, rng: Random, at: float) -> Body:
    prometheus = platform.workload("prometheus.monitoring")
    if rng.random() < 0.5:
        node = rng.choice(platform.nodes)
        call = Call("get", "nodes", None, node.name, subresource="proxy", beyond="metrics")
        return _by(rng, at, prometheus, call)
    return _by(rng, at, prometheus, Call("list", rng.choice(("pods", "services", "endpoints")), None, None))


def _ci(platform: Platform, rng: Random, at: float) -> Body:
    workload = rng.choice(
        [w for w in platform.workloads if w.namespace in ("terraminer", "frontend", "analytics")]
    )
    call = Call(
        rng.choice(("get", "get", "patch")), "deployments", workload.namespace, workload.name, group="apps"
    )
    return _by(rng, at, platform.workload("ci-deployer.ci"), call)


def _people(platform: Platform, rng: Random, at: float) -> Body:
    person = rng.choice(platform.people)
    workload = rng.choice(platform.workloads)
    pod = rng.choice(workload.pods)
    call = rng.choice(
        (
            Call("list", "pods", workload.namespace, None),
            Call("get", "pods", workload.namespace, pod.name),
            Call("get", "pods", workload.namespace, pod.name, subresource="log"),
            Call("list", "events", workload.namespace, None),
            Call("get", "deployments", workload.namespace, workload.name, group="apps"),
            Call("get", "configmaps", workload.namespace, f"{workload.name}-config"),
        )
    )
    body = audit_event(
        rng, at, person_user(person), call, person.address, "kubectl/v1.34.2 (linux/amd64) kubernetes/8cc511e"
    )
    if rng.random() < 0.02:
        body["responseStatus"] = {"metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403}
        body["annotations"] = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}
    return body


def _by(rng: Random, at: float, workload: Workload, call: Call) -> Body:
    pod = workload.pods[0]
    return audit_event(rng, at, account(workload, pod, rng), call, pod.address, f"{workload.name}/v1.6.1")
