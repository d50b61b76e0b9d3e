"""Kubernetes audit: controllers and people at their work, which looks like an attack."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import Body, hexes, new_uuid
from daemon.lab.sources.kubernetes_audit import account, call, node, person
from daemon.lab.stage import Stage, Technique
from daemon.lab.world import Node


def _controller(stage: Stage, namespace: str, name: str) -> tuple[Body, str]:
    machine: Node = stage.rng.choice(stage.world.nodes)
    about = "authentication.kubernetes.io/"
    user: Body = {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "uid": new_uuid(stage.rng),
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "extra": {
            f"{about}node-name": [machine.name],
            f"{about}pod-name": [f"{name}-{hexes(stage.rng, 9)}"],
            f"{about}pod-uid": [new_uuid(stage.rng)],
        },
    }
    return user, stage.pod(stage.workload()).address


def flux_applies(stage: Stage) -> None:
    """Flux puts an authorization policy, a role and a deployment in place."""
    user, at = _controller(stage, "flux-system", "kustomize-controller")
    namespace = stage.workload().namespace
    for resource in (
        "apps/v1/deployments",
        "security.istio.io/v1/authorizationpolicies",
        "rbac.authorization.k8s.io/v1/roles",
    ):
        call(
            stage,
            user,
            "patch",
            resource,
            namespace,
            stage.names.thing(),
            {"spec": {}},
            address=at,
            agent="kustomize-controller/v1.6.1",
        )


def mesh_reads_secrets(stage: Stage) -> None:
    """The mesh's control plane watches the secrets of the whole cluster."""
    user, at = _controller(stage, "istio-system", "istiod")
    query = "limit=500&resourceVersion=0"
    call(stage, user, "list", "v1/secrets", query=query, address=at, agent="pilot-discovery/v0.0.0")


def own_webhook_renewed(stage: Stage) -> None:
    """The mesh's control plane renews the certificate of its own webhook."""
    user, at = _controller(stage, "istio-system", "istiod")
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": hexes(stage.rng, 400)}]
    resource = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    call(
        stage,
        user,
        "patch",
        resource,
        "",
        "istiod-default-validator",
        patch,
        address=at,
        agent="pilot-discovery/v0.0.0",
    )


def kubelet_at_work(stage: Stage) -> None:
    """A kubelet reads a secret of its pod and has a token made for it."""
    workload = stage.workload()
    pod = stage.pod(workload)
    user, at = node(pod.node), pod.node.address
    agent = "kubelet/v1.35.4 (linux/amd64) kubernetes/9b6f1c2"
    call(
        stage, user, "get", "v1/secrets", workload.namespace, f"{workload.name}-tls", address=at, agent=agent
    )
    call(
        stage,
        user,
        "create",
        "v1/serviceaccounts",
        workload.namespace,
        workload.name,
        sub="token",
        code=201,
        address=at,
        agent=agent,
    )


def deployment_restarted(stage: Stage) -> None:
    """Someone restarts a deployment and scales it by one."""
    workload, who = stage.workload(), stage.person()
    user, at = person(stage, who), who.address
    patch: Body = {
        "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}
    }
    call(stage, user, "patch", "apps/v1/deployments", workload.namespace, workload.name, patch, address=at)
    call(
        stage,
        user,
        "patch",
        "apps/v1/deployments",
        workload.namespace,
        workload.name,
        {"spec": {"replicas": 3}},
        sub="scale",
        address=at,
    )


def refused_by_mistake(stage: Stage) -> None:
    """Someone looks into the wrong namespace and is refused twice."""
    who = stage.person()
    for plural in ("pods", "services"):
        call(
            stage,
            person(stage, who),
            "list",
            f"v1/{plural}",
            stage.names.thing(),
            code=403,
            address=who.address,
        )


def view_bound(stage: Stage) -> None:
    """CI binds a team to the right to read in its own namespace."""
    workload = stage.world.ci
    pod = stage.pod(workload)
    name, rbac = stage.names.thing(), "rbac.authorization.k8s.io"
    body = {
        "kind": "RoleBinding",
        "apiVersion": f"{rbac}/v1",
        "metadata": {"name": name},
        "subjects": [{"kind": "Group", "name": stage.person().team, "apiGroup": rbac}],
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "view"},
    }
    call(
        stage,
        account(stage, workload, pod),
        "create",
        f"{rbac}/v1/rolebindings",
        stage.workload().namespace,
        name,
        body,
        address=pod.address,
    )


def preview_removed(stage: Stage) -> None:
    """CI removes the three objects of a preview."""
    workload = stage.world.ci
    pod = stage.pod(workload)
    for resource in ("apps/v1/deployments", "v1/services", "v1/configmaps"):
        call(
            stage,
            account(stage, workload, pod),
            "delete",
            resource,
            workload.namespace,
            stage.names.thing(),
            address=pod.address,
        )


LOOK_ALIKES: Final = (
    Technique("k8s-flux-applies", "Flux applies what stands in Git", flux_applies, why="GitOps controller"),
    Technique(
        "k8s-mesh-reads-secrets",
        "Mesh lists all secrets",
        mesh_reads_secrets,
        why="control plane of the mesh",
    ),
    Technique(
        "k8s-own-webhook-renewed",
        "Mesh renews its own webhook",
        own_webhook_renewed,
        why="certificate of its own webhook",
    ),
    Technique(
        "k8s-kubelet-at-work", "Kubelet reads for its pods", kubelet_at_work, why="node authoriser, own pods"
    ),
    Technique(
        "k8s-deployment-restarted",
        "Deployment restarted by hand",
        deployment_restarted,
        why="usual person and address",
    ),
    Technique("k8s-refused-by-mistake", "Two refusals", refused_by_mistake, why="a mistake"),
    Technique("k8s-view-bound", "Team may read its namespace", view_bound, why="CI, read only"),
    Technique(
        "k8s-preview-removed", "Preview removed", preview_removed, why="CI, own namespace, three objects"
    ),
)
