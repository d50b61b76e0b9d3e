"""Kubernetes audit on an ordinary day: leases, status, reads of pods, people who look."""

from __future__ import annotations

from daemon.lab.sources.kubernetes_audit import account, call, node, person
from daemon.lab.stage import Stage


def ordinary(stage: Stage) -> None:
    """Write one ordinary thing."""
    dice = stage.rng.random()
    if dice < 0.45:
        _kubelet(stage)
    elif dice < 0.75:
        workload = stage.workload()
        pod = stage.pod(workload)
        user = account(stage, workload, pod)
        call(
            stage,
            user,
            "get",
            "v1/configmaps",
            workload.namespace,
            f"{workload.name}-conf",
            address=pod.address,
            agent="Go-http-client/2.0",
        )
    elif dice < 0.9:
        who = stage.person()
        plural = stage.rng.choice(("pods", "services", "events"))
        call(
            stage,
            person(stage, who),
            "list",
            f"v1/{plural}",
            stage.workload().namespace,
            query="limit=500",
            address=who.address,
        )
    else:
        _controller(stage)


def _kubelet(stage: Stage) -> None:
    machine = stage.rng.choice(stage.world.nodes)
    resource = "coordination.k8s.io/v1/leases"
    agent = "kubelet/v1.35.4 (linux/amd64) kubernetes/9b6f1c2"
    call(
        stage,
        node(machine),
        "update",
        resource,
        "kube-node-lease",
        machine.name,
        {"spec": {}},
        address=machine.address,
        agent=agent,
    )


def _controller(stage: Stage) -> None:
    workload = stage.workload()
    user = {
        "username": "system:serviceaccount:kube-system:replicaset-controller",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
    }
    agent = "kube-controller-manager/v1.35.4 (linux/amd64) kubernetes/9b6f1c2"
    resource = "apps/v1/replicasets"
    call(
        stage,
        user,
        "update",
        resource,
        workload.namespace,
        workload.name,
        {"status": {}},
        sub="status",
        address=stage.world.nodes[0].address,
        agent=agent,
    )
