"""Kubernetes audit: rights and credentials taken."""

from __future__ import annotations

from typing import Final

from daemon.demo.traffic.record import Body, hexes
from daemon.lab.sources.kubernetes_audit import account, anonymous, call, node, person
from daemon.lab.stage import Stage, Technique

_RBAC: Final = "rbac.authorization.k8s.io"
_BINDINGS: Final = f"{_RBAC}/v1/clusterrolebindings"
_CSR: Final = "certificates.k8s.io/v1/certificatesigningrequests"


def _binding(name: str, role: str, subject: Body) -> Body:
    return {
        "kind": "ClusterRoleBinding",
        "apiVersion": f"{_RBAC}/v1",
        "metadata": {"name": name},
        "subjects": [subject],
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
    }


def admin_bound(stage: Stage) -> None:
    """Bind a service account to cluster-admin."""
    name, workload = stage.names.thing(), stage.workload()
    subject = {"kind": "ServiceAccount", "name": workload.name, "namespace": workload.namespace}
    call(
        stage,
        person(stage, stage.person()),
        "create",
        _BINDINGS,
        "",
        name,
        _binding(name, "cluster-admin", subject),
    )


def anonymous_rights(stage: Stage) -> None:
    """Give callers without a login the right to read, and use it."""
    name = stage.names.thing()
    subject = {"kind": "Group", "name": "system:unauthenticated", "apiGroup": _RBAC}
    call(stage, person(stage, stage.person()), "create", _BINDINGS, "", name, _binding(name, "view", subject))


def anonymous_answered(stage: Stage) -> None:
    """Read objects without any login."""
    for plural in ("pods", "services"):
        call(stage, anonymous(), "list", f"v1/{plural}", stage.workload().namespace, agent="curl/8.5.0")


def wildcard_role(stage: Stage) -> None:
    """Make a role with every right."""
    name = stage.names.thing()
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    body = {"kind": "ClusterRole", "apiVersion": f"{_RBAC}/v1", "metadata": {"name": name}, "rules": rules}
    call(stage, person(stage, stage.person()), "create", f"{_RBAC}/v1/clusterroles", "", name, body)


def escalating_role(stage: Stage) -> None:
    """Make a role that may widen roles and act as others."""
    name = stage.names.thing()
    rules = [
        {"apiGroups": [_RBAC], "resources": ["clusterroles"], "verbs": ["escalate", "bind"]},
        {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]},
    ]
    body = {"kind": "ClusterRole", "apiVersion": f"{_RBAC}/v1", "metadata": {"name": name}, "rules": rules}
    call(stage, person(stage, stage.person()), "create", f"{_RBAC}/v1/clusterroles", "", name, body)


def masters_impersonated(stage: Stage) -> None:
    """Act as the group that may do everything."""
    call(
        stage,
        person(stage, stage.person()),
        "list",
        "v1/secrets",
        stage.world.data_namespace,
        impersonatedUser={
            "username": stage.names.word(),
            "groups": ["system:masters", "system:authenticated"],
        },
    )


def masters_certificate(stage: Stage) -> None:
    """Ask for a client certificate of the group that may do everything; the API server refuses."""
    name = stage.names.thing()
    body = {
        "kind": "CertificateSigningRequest",
        "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"name": name},
        "spec": {
            "request": hexes(stage.rng, 600),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
    said = (
        f'certificatesigningrequests.certificates.k8s.io "{name}" is forbidden: use of '
        "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    )
    call(stage, person(stage, stage.person()), "create", _CSR, "", name, body, code=403, message=said)


def token_minted(stage: Stage) -> None:
    """Have a token of a strong service account made, to take away."""
    call(
        stage,
        person(stage, stage.person()),
        "create",
        "v1/serviceaccounts",
        "kube-system",
        stage.rng.choice(("clusterrole-aggregation-controller", "namespace-controller", "job-controller")),
        sub="token",
        code=201,
    )


def rights_enumerated(stage: Stage) -> None:
    """Ask what the token of a pod may do, verb by verb."""
    workload = stage.workload()
    pod = stage.pod(workload)
    who = account(stage, workload, pod)
    for verb in (
        "list",
        "create",
        "delete",
        "get",
        "watch",
        "patch",
        "update",
        "impersonate",
        "escalate",
    ) * 3:
        asked = {
            "resourceAttributes": {"verb": verb, "resource": stage.rng.choice(("secrets", "pods", "nodes"))}
        }
        body = {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": asked,
        }
        reviews = "authorization.k8s.io/v1/selfsubjectaccessreviews"
        call(stage, who, "create", reviews, body=body, address=pod.address)


def pod_token_outside(stage: Stage) -> None:
    """Use the token of a pod from the internet."""
    workload = stage.workload()
    who = account(stage, workload, stage.pod(workload))
    call(stage, who, "list", "v1/pods", workload.namespace, agent="python-requests/2.32.3")
    call(
        stage,
        who,
        "get",
        "v1/secrets",
        workload.namespace,
        stage.names.thing(),
        agent="python-requests/2.32.3",
    )


def node_credential_outside(stage: Stage) -> None:
    """Use a kubelet's certificate away from its machine."""
    machine = stage.rng.choice(stage.world.nodes)
    who = node(machine)
    call(stage, who, "list", "v1/secrets", "kube-system", code=403, agent="curl/8.5.0")
    call(stage, who, "get", "v1/nodes", "", machine.name, agent="curl/8.5.0")


def kubelet_through_api(stage: Stage) -> None:
    """Reach the kubelet of a machine through the API server."""
    machine = stage.rng.choice(stage.world.nodes)
    who = person(stage, stage.person())
    call(stage, who, "get", "v1/nodes", "", machine.name, sub="proxy")


TECHNIQUES: Final = (
    Technique(
        "k8s-admin-bound", "Service account bound to cluster-admin", admin_bound, ("T1098.006",), "critical"
    ),
    Technique(
        "k8s-anonymous-rights",
        "Rights for callers without a login",
        anonymous_rights,
        ("T1098.006",),
        "critical",
    ),
    Technique(
        "k8s-anonymous-answered", "Objects read without a login", anonymous_answered, ("T1190",), "critical"
    ),
    Technique("k8s-wildcard-role", "Role with every right", wildcard_role, ("T1098.006",)),
    Technique("k8s-escalating-role", "Role that may widen roles", escalating_role, ("T1098.006",)),
    Technique(
        "k8s-masters-impersonated", "Acting as system:masters", masters_impersonated, ("T1078",), "critical"
    ),
    Technique(
        "k8s-masters-certificate",
        "Certificate of system:masters asked for",
        masters_certificate,
        ("T1649",),
        "high",
    ),
    Technique("k8s-token-minted", "Token of a controller made", token_minted, ("T1528",)),
    Technique(
        "k8s-rights-enumerated",
        "Rights of a token asked for, verb by verb",
        rights_enumerated,
        ("T1613",),
        "medium",
    ),
    Technique(
        "k8s-pod-token-outside",
        "Token of a pod used from the internet",
        pod_token_outside,
        ("T1550.001",),
        "critical",
    ),
    Technique(
        "k8s-node-credential-outside",
        "Kubelet's certificate used elsewhere",
        node_credential_outside,
        ("T1078",),
    ),
    Technique(
        "k8s-kubelet-through-api", "Kubelet reached through the API server", kubelet_through_api, ("T1609",)
    ),
)
